import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { urls } from "@boxrun/contract";
import { boxDirVariable } from "@boxrun/host";
import { Http } from "./http.ts";

export const cliPath = fileURLToPath(new URL("../../../packages/cli/bin/boxrun.js", import.meta.url));

/** What removing all boxes may take: one that hangs fails the test, and leaves no VM behind all the same. */
const removalMs = 60_000;
/** A server ends within 10 s of SIGTERM, whatever hangs. */
const stopMs = 30_000;

/** A server takes a second to start; on a CPU that is emulated, beside others, a minute. */
const startMs = 180_000;

interface ServerOptions {
  readonly stateDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Of `boxrun serve`. */
  readonly args?: readonly string[];
}

export interface CliResult {
  readonly stdout: string;
  readonly stderr: string;
  /** `null`: ended by a signal. */
  readonly exitCode: number | null;
}

/** A real server as a process of its own, on a state directory of its own. */
export class TestServer implements AsyncDisposable {
  readonly stateDir: string;
  readonly http: Http;
  readonly #options: ServerOptions;
  #process: ChildProcess | undefined;
  #log = "";

  private constructor(stateDir: string, options: ServerOptions) {
    this.stateDir = stateDir;
    this.#options = options;
    this.http = new Http(this.socketPath);
  }

  static async start(options: ServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(options.stateDir ?? (await mkdtemp(join(tmpdir(), "br-"))), options);
    await server.restart();
    return server;
  }

  get socketPath(): string {
    return join(this.stateDir, "boxrun.sock");
  }

  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error("the server is not running");
    return this.#process.pid;
  }

  get env(): NodeJS.ProcessEnv {
    return { ...process.env, BOXRUN_STATE_DIR: this.stateDir, BOXRUN_LOG_LEVEL: "info", ...this.#options.env };
  }

  /** What the server has written to its standard error. */
  get log(): string {
    return this.#log;
  }

  /** Starts the process (again) and waits until it answers. */
  async restart(args: readonly string[] = this.#options.args ?? []): Promise<void> {
    const child = spawn(process.execPath, [cliPath, "serve", "--port", "0", ...args], {
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        this.#log += chunk;
      });
    }
    const deadlineMs = Date.now() + startMs;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || Date.now() > deadlineMs)
        throw new Error(`the server did not come up:\n${this.#log}`);
      await delay(50);
    }
  }

  /** The CLI as a process of its own, against this server. */
  runCli(args: readonly string[], input = ""): Promise<CliResult> {
    return runCli(args, this.env, input);
  }

  /** As a crash would: nothing of the server gets to run. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Boxes that have processes on this host (QEMU, its jail, passt, virtiofsd), by id, each with their pids. */
  async boxProcesses(): Promise<Map<string, number[]>> {
    const found = new Map<string, number[]>();
    for await (const [pid, environment] of environments()) {
      const variable = environment.find((one) => one.startsWith(`${boxDirVariable}=${this.stateDir}/`));
      if (variable !== undefined) found.set(basename(variable), [...(found.get(basename(variable)) ?? []), pid]);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#process === undefined || this.#process.exitCode !== null || this.#process.signalCode !== null) {
        await this.restart();
      }
      const boxes = (await this.http.json("GET", urls.boxes())).body;
      if (Array.isArray(boxes)) {
        const signal = AbortSignal.timeout(removalMs);
        await Promise.all(
          boxes.map((box: { id: string }) => this.http.json("DELETE", urls.removeBox(box.id, true), undefined, signal)),
        );
      }
    } finally {
      try {
        await this.stop();
      } finally {
        await this.http[Symbol.asyncDispose]();
        // Servers that a command has started, in a test that did not come to its end.
        for await (const [pid, environment] of environments())
          if (environment.includes(`BOXRUN_STATE_DIR=${this.stateDir}`)) endProcess(pid);
        for (const pids of (await this.boxProcesses()).values()) for (const pid of pids) endProcess(pid);
        await rm(this.stateDir, { recursive: true, force: true });
      }
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
    await exited;
    clearTimeout(timer);
    if (signal === "SIGTERM" && child.signalCode === "SIGKILL") {
      throw new Error(`the server did not stop in ${stopMs / 1000} s:\n${this.#log}`);
    }
    // What of a box keeps the process up until its time is over makes a 1 of it.
    if (signal === "SIGTERM" && child.exitCode !== 0) {
      throw new Error(`the server ended with ${child.exitCode ?? child.signalCode}:\n${this.#log}`);
    }
  }

  async #answers(): Promise<boolean> {
    return this.http.json("GET", urls.health()).then(
      // Until it has taken over the boxes of the last server, what it says of them is what that one knew.
      ({ status, body }) => status === 200 && Object(body).recovering !== true,
      () => false,
    );
  }
}

/** Of all processes whose environment may be read. */
async function* environments(): AsyncGenerator<[pid: number, environment: string[]]> {
  for (const name of await readdir("/proc")) {
    const text = /^\d+$/.test(name) ? await readFile(`/proc/${name}/environ`, "utf8").catch(() => "") : "";
    if (text !== "") yield [Number(name), text.split("\0")];
  }
}

/** By force; it may have ended with another one. */
function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {}
}

/** The CLI as a process of its own, to its end. */
export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv, input = ""): Promise<CliResult> {
  const child = spawn(process.execPath, [cliPath, ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
  const closed = once(child, "close");
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await closed;
  return { stdout, stderr, exitCode: child.exitCode };
}
