import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, cp, mkdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { copyRoot } from "./root.ts";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command of either sees: nothing of the host's own environment. */
const users = {
  root: { id: 0, home: "/root" },
  tester: { id: 1000, home: "/home/tester" },
} as const;

const path = "/home/tester/.npm-global/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * A machine for whoever sits at it: a root file system of its own, process ids and a host name too, with the network of this host. There is no
 * /dev/kvm in it. Its processes end with it.
 */
export class Machine {
  readonly root: string;
  readonly #holder: ChildProcess;
  readonly #pid: number;

  private constructor(root: string, holder: ChildProcess, pid: number) {
    this.root = root;
    this.#holder = holder;
    this.#pid = pid;
  }

  /** `root` is made, and removed with it. `aptCache` keeps downloaded packages for the next one. */
  static async boot(pristine: string, root: string, aptCache: string): Promise<Machine> {
    await copyRoot(pristine, root);
    await mkdir(join(aptCache, "partial"), { recursive: true });
    await writeFile(join(root, "etc/resolv.conf"), "");
    // Else apt removes what it has installed.
    await writeFile(
      join(root, "etc/apt/apt.conf.d/99keep"),
      'Binary::apt-get::APT::Keep-Downloaded-Packages "true";\n',
    );
    const args = [
      ...["--bind", root, "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run"],
      ...["--bind", aptCache, "/var/cache/apt/archives", "--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf"],
      ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "clean"],
      ...["--cap-add", "ALL", "--die-with-parent", "--info-fd", "3", "--"],
      ...["sh", "-c", "echo ready; exec sleep infinity"],
    ];
    const holder = spawn("bwrap", args, { stdio: ["ignore", "pipe", "inherit", "pipe"] });
    const info = holder.stdio[3];
    if (info === null || info === undefined || !("readable" in info)) throw new TypeError("descriptor 3 is a pipe");
    const { "child-pid": pid } = JSON.parse(await text(info));
    // Its id is told before the root is in its place.
    if (holder.stdout === null) throw new TypeError("standard output is a pipe");
    for await (const _ of holder.stdout) break;
    if (holder.exitCode !== null) throw new Error(`bwrap ended with ${holder.exitCode}`);
    return new Machine(root, holder, pid);
  }

  /** Runs a shell's command to its end; what it leaves in the background runs on. */
  async run(user: keyof typeof users, command: string): Promise<Ended> {
    const { id, home } = users[user];
    const env = [
      `HOME=${home}`,
      `PATH=${path}`,
      "LANG=C.UTF-8",
      "NO_COLOR=1",
      "BOXRUN_PORT=0",
      "DEBIAN_FRONTEND=noninteractive",
    ];
    const child = spawn(
      "nsenter",
      [
        ...["--target", String(this.#pid), "--mount", "--pid", "--ipc", "--uts", "--wdns=/", "--"],
        ...["env", "-i", ...env, "setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups", "--"],
        ...["sh", "-c", `cd && ${command}`],
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    // Not "close": a server in the background has the pipes, too.
    const output = [child.stdout, child.stderr].map(collect);
    const [code] = await once(child, "exit");
    const [stdout = "", stderr = ""] = output.map((read) => read());
    return { code, stdout, stderr };
  }

  /** The Node of this process, and the npm of this host, as somebody would install them. */
  async putNode(): Promise<void> {
    const bin = join(this.root, "usr/local/bin");
    const npm = dirname(dirname(await realpath(await which("npm"))));
    await copyFile(process.execPath, join(bin, "node"));
    await chmod(join(bin, "node"), 0o755);
    await cp(npm, join(this.root, "usr/local/lib/node_modules/npm"), { recursive: true });
    await symlink("../lib/node_modules/npm/bin/npm-cli.js", join(bin, "npm"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#holder, "exit");
    if (this.#holder.exitCode === null) {
      this.#holder.kill("SIGKILL");
      await ended;
    }
    await rm(this.root, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** What the stream has given so far. */
function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

async function which(program: string): Promise<string> {
  const child = spawn("sh", ["-c", `command -v ${program}`], { stdio: ["ignore", "pipe", "inherit"] });
  return (await text(child.stdout)).trim();
}
