import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { locateBase } from "../../packages/images/src/base/cache.ts";

const execute = promisify(execFile);
const image = "localhost/base:1";
/** podman asks for more than some hosts allow. */
const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

/** Debian's podman with the base image, in a store of its own: what a user would otherwise take, though it is no VM. */
export class Podman implements AsyncDisposable {
  readonly #dir: string;
  readonly #runtime: string;

  private constructor(dir: string, runtime: string) {
    this.#dir = dir;
    this.#runtime = runtime;
  }

  /** Or why there is none. */
  static async open(cacheDir: string): Promise<Podman | string> {
    await using opened = new AsyncDisposableStack();
    const dir = await mkdtemp(join(tmpdir(), "br-podman-"));
    opened.defer(() => remove(dir));
    try {
      await symlink(locateBase(cacheDir), join(dir, "base"));
      await execute("skopeo", ["copy", `oci:${join(dir, "base")}`, `oci-archive:${join(dir, "base.tar")}:${image}`]);
      await execute("podman", [...storeOf(dir), "load", "--input", join(dir, "base.tar")]);
    } catch (error) {
      return `no podman to compare with (apt-get install podman runc): ${firstLine(error)}`;
    }
    const failures: string[] = [];
    // Which of them runs depends on the host's cgroups.
    for (const runtime of ["crun", "runc"]) {
      const podman = new Podman(dir, runtime);
      try {
        await podman.run();
        opened.move();
        return podman;
      } catch (error) {
        failures.push(`${runtime}: ${firstLine(error)}`);
      }
    }
    return `podman runs nothing here: ${failures.join("; ")}`;
  }

  /** How long `podman run` takes to the first byte of `echo`, in ms. */
  async run(): Promise<number> {
    const begun = performance.now();
    const args = [...storeOf(this.#dir), "--runtime", this.#runtime, "run", "--rm", "--network", "none", ...limits];
    const child = spawn("podman", [...args, image, "echo", "hello"], { stdio: ["ignore", "pipe", "pipe"] });
    const closed = once(child, "close");
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    let firstByte: number | undefined;
    for await (const _ of child.stdout) firstByte ??= performance.now() - begun;
    await closed;
    if (firstByte === undefined) throw new Error(errors);
    return firstByte;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await remove(this.#dir);
  }
}

/** Its own command ends what it has mounted; it asks for nothing. */
async function remove(dir: string): Promise<void> {
  await execute("podman", [...storeOf(dir), "system", "reset", "--force"]).catch(() => undefined);
  await rm(dir, { recursive: true, force: true });
}

function storeOf(dir: string): readonly string[] {
  return ["--root", join(dir, "root"), "--runroot", join(dir, "run")];
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split("\n").slice(-1)[0] ?? "";
}
