import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * Directories for work in progress, `<root>/<pid>-<start time>-<uuid>`: the name says whose it is, so that what a killed server left can
 * be told from what a living one is doing.
 */
export class ScratchDirs {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Removed, with all that is in it, at the end of the scope. */
  async make(): Promise<AsyncDisposable & { readonly path: string }> {
    const path = join(this.#root, `${process.pid}-${startTime(process.pid)}-${randomUUID()}`);
    await mkdir(path, { recursive: true, mode: 0o700 });
    return { path, [Symbol.asyncDispose]: () => removeDir(path) };
  }

  /** Removes what processes left that are gone. */
  async sweep(): Promise<void> {
    const names = await readdir(this.#root).catch(() => []);
    const dead = names.filter((name) => {
      const [pid, started] = name.split("-");
      return startTime(Number(pid)) !== started;
    });
    await Promise.all(dead.map((name) => removeDir(join(this.#root, name))));
  }
}

/** Clock ticks from the host's boot to the process's start; empty if there is no such process. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is the program's name in parentheses, which may hold anything.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return process.platform === "linux" ? "" : isAlive(pid);
  }
}

/** Where there is no /proc, a pid alone has to do. */
function isAlive(pid: number): string {
  try {
    process.kill(pid, 0);
    return "0";
  } catch {
    return "";
  }
}

function removeDir(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
