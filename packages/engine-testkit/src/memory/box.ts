import { BoxRunError } from "@boxrun/contract";
import type { BoxSpec, BoxUsage, ExecExit, ExecSpec } from "@boxrun/core";
import { MemoryFileSystem, newFile, type Owner } from "./file-system.ts";
import { MemoryPorts } from "./ports.ts";
import { MemoryProcess, type ProcessLimits } from "./process.ts";
import { absolute, type Program, type ProgramContext, type Write } from "./program.ts";
import { MemoryWatches } from "./watches.ts";

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const users: Readonly<Record<string, { readonly uid: number; readonly gid: number; readonly home: string }>> = {
  root: { uid: 0, gid: 0, home: "/root" },
  nobody: { uid: 65_534, gid: 65_534, home: "/" },
};

/** One box of a memory host: its disk, and the execs that run in it. */
export class MemoryBox {
  readonly id: string;
  readonly engineId: string;
  readonly hostname: string;
  state: "creating" | "running" | "stopped" | "dead" = "creating";
  note: string | undefined;
  readonly files = new MemoryFileSystem();
  readonly execs = new Map<string, MemoryProcess>();
  readonly ports = new MemoryPorts();
  readonly watches = new MemoryWatches();
  /** Ends a create that is still at it. */
  readonly removed = new AbortController();
  #silence = new AbortController();
  #ignoresEnds = false;
  readonly #programs: ReadonlyMap<string, Program>;
  readonly #limits: ProcessLimits;

  constructor(spec: BoxSpec, engineId: string, programs: ReadonlyMap<string, Program>, limits: ProcessLimits) {
    this.id = spec.id;
    this.engineId = engineId;
    this.hostname = spec.hostname;
    this.note = spec.note;
    this.#programs = programs;
    this.#limits = limits;
    for (const path of ["/bin", "/etc", "/home", "/usr/bin", "/var"]) this.files.makeDir(path);
    this.files.makeDir("/root").mode = 0o700;
    this.files.makeDir("/tmp").mode = 0o1777;
    this.files.makeDir(spec.workdir);
    this.files.put("/etc/hostname", newFile(Buffer.from(`${spec.hostname}\n`)));
  }

  /** Aborts, with BOX_UNREACHABLE, when the box falls silent. */
  get silence(): AbortSignal {
    return this.#silence.signal;
  }

  fallSilent(why: string): void {
    this.#silence.abort(new BoxRunError("BOX_UNREACHABLE", why));
  }

  answerAgain(): void {
    this.#silence = new AbortController();
  }

  /** For tests: what its VM uses from now on. */
  readonly uses = { hostCpuMs: 500, cpuMs: 400, memoryBytes: 64 * 1024 * 1024, diskBytes: 1_000_000, sentBytes: 10 };
  /** For tests: how often it was told to let go of memory. */
  reclaimed = 0;
  /** For tests: an agent of before the question. */
  hasOldAgent = false;

  usage(guest: boolean): BoxUsage {
    const { hostCpuMs, cpuMs, memoryBytes, diskBytes, sentBytes } = this.uses;
    const host = { cpuMs: hostCpuMs, residentBytes: 2 * memoryBytes, proportionalBytes: null };
    if (!guest) return { host, guest: { state: "not-asked" } };
    if (this.hasOldAgent) return { host, guest: { state: "unsupported" } };
    if (this.silence.aborted) return { host, guest: { state: "unreachable", why: this.silence.reason.message } };
    const running = [...this.execs.values()].filter(({ hasEnded }) => !hasEnded).length;
    return {
      host,
      guest: {
        state: "answered",
        usage: {
          cpuMs,
          memoryBytes,
          memoryTotalBytes: 256 * 1024 * 1024,
          diskBytes,
          diskSizeBytes: 4 * 1024 ** 3,
          network: { receivedBytes: 0, sentBytes },
          processes: running,
        },
      },
    };
  }

  /** From here on nothing that runs in it, or will, ends because it is told to. */
  ignoreEnds(): void {
    this.#ignoresEnds = true;
    for (const process of this.execs.values()) process.ignoresEnds = true;
  }

  /** Ends every exec and watch: their output breaks off where it is. */
  loseExecs(reason: string): void {
    this.ports.close(reason);
    this.watches.close(reason);
    for (const process of this.execs.values()) process.lose(reason);
    this.execs.clear();
  }

  exec(spec: ExecSpec): MemoryProcess {
    const known = this.execs.get(spec.id);
    if (known !== undefined) return known;
    const process = new MemoryProcess(spec, this.#limits);
    process.ignoresEnds = this.#ignoresEnds;
    this.execs.set(spec.id, process);
    void this.#run(process, spec);
    return process;
  }

  async #run(process: MemoryProcess, spec: ExecSpec): Promise<void> {
    const user = users[spec.user ?? "root"] ?? numericUser(spec.user ?? "");
    if (user === undefined) return process.exit(notStarted(127, `there is no user ${spec.user} in the box`));
    if (directoryAt(this.files, spec.workdir) === undefined) {
      return process.exit(notStarted(127, `the working directory ${spec.workdir} is not there`));
    }
    const write =
      (stream: "stdout" | "stderr"): Write =>
      (data) =>
        process.spool.write(spec.tty === null ? stream : "stdout", typeof data === "string" ? Buffer.from(data) : data);
    const base: Omit<ProgramContext, "run"> = {
      argv: spec.cmd,
      env: {
        PATH: defaultPath,
        HOME: user.home,
        ...(spec.tty === null ? {} : { TERM: "xterm-256color" }),
        ...spec.env,
      },
      cwd: spec.workdir,
      uid: user.uid,
      gid: user.gid,
      hostname: this.hostname,
      files: this.files,
      stdin: process.stdin,
      stdout: write("stdout"),
      stderr: write("stderr"),
      terminal: () => process.terminal,
      trap: (name, handler) => process.trap(name, handler),
      killed: process.killed.signal,
      listen: (port, serve) => this.ports.listen(port, spec.cmd[0] ?? "", process.killed.signal, serve),
    };
    const found = this.#find(base);
    if ("code" in found) return process.exit(found);
    process.exit({ code: await this.#call(found.program, base), reason: "exited" });
  }

  async #call(program: Program, base: Omit<ProgramContext, "run">): Promise<number> {
    const context: ProgramContext = {
      ...base,
      run: async (argv, changes) => {
        const inner = { ...context, ...changes, argv };
        const found = this.#find(inner);
        if ("program" in found) return await this.#call(found.program, inner);
        await inner.stderr(`sh: ${found.message}\n`);
        return found.code;
      },
    };
    try {
      return (await program(context)) ?? 0;
    } catch (error) {
      // After a kill nobody listens any more, and the write rejects like everything else.
      const text = `${base.argv[0]}: ${error instanceof Error ? error.message : String(error)}\n`;
      await base.stderr(text).catch(() => undefined);
      return 1;
    }
  }

  #find(context: Omit<ProgramContext, "run">): { readonly program: Program } | ExecExit {
    const command = context.argv[0] ?? "";
    const program = this.#programs.get(command.replace(/^\/(?:usr\/)?bin\//, ""));
    if (program !== undefined) return { program };
    const path = command.includes("/") ? absolute({ cwd: context.cwd }, command) : `/bin/${command}`;
    const node = fileAt(this.files, path);
    if (node === undefined) return notStarted(127, `${command}: not found`);
    const shell = this.#programs.get("sh");
    if ((node.mode & 0o111) === 0 || node.type !== "file" || shell === undefined) {
      return notStarted(126, `${command}: permission denied`);
    }
    const script = node.content.toString("utf8").replace(/^#!.*\n/, "");
    return { program: (inner) => shell({ ...inner, argv: ["sh", "-c", script] }) };
  }
}

function notStarted(code: 126 | 127, message: string): ExecExit & { readonly message: string } {
  return { code, reason: "not_started", message };
}

/** `USER` or `USER:GROUP`. VALIDATION_ERROR for one that the box doesn't have. */
export function ownerInBox(user: string): Owner {
  const [name = "", group] = user.split(":");
  const found = users[name] ?? numericUser(name);
  const gid = group === undefined ? found?.gid : (users[group] ?? numericUser(group))?.[users[group] ? "gid" : "uid"];
  if (found === undefined || gid === undefined)
    throw new BoxRunError("VALIDATION_ERROR", `there is no owner ${user} in the box`);
  return { uid: found.uid, gid };
}

function numericUser(user: string) {
  const match = user.match(/^(\d+)(?::(\d+))?$/);
  return match === null ? undefined : { uid: Number(match[1]), gid: Number(match[2] ?? 0), home: "/" };
}

function fileAt(files: MemoryFileSystem, path: string) {
  try {
    return files.find(path);
  } catch {
    // Through a file, or a loop of links: nothing to run there either way.
    return undefined;
  }
}

function directoryAt(files: MemoryFileSystem, path: string) {
  const node = fileAt(files, path);
  return node?.type === "dir" ? node : undefined;
}
