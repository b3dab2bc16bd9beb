import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isAlive, isErrno, type ProcessRef, processRef } from "@boxrun/host";
import { endProcesses } from "../vm/machine.ts";

/**
 * Templates on the host's disk: `<cacheDir>/templates/<key>/`. A directory with its name is complete: it is renamed into place. Several servers may have the same
 * cache: one may remove what another is about to open.
 *
 *     ram       the guest's memory, sparse
 *     state     everything else of the VM
 *     disk      sparse; of a template with a box's disk only
 *     used      empty; its time is when a box was last resumed from it
 */
export const templateFiles = { memory: "ram", state: "state", disk: "disk", used: "used" } as const;

/** Begins the name of a directory in which a template is being made; then it says by which process. */
const scratchPrefix = ".new-";

export class TemplateStore {
  readonly #dir: string;
  readonly #limitBytes: number;

  constructor(cacheDir: string, limitBytes: number) {
    this.#dir = join(cacheDir, "templates");
    this.#limitBytes = limitBytes;
  }

  path(key: string): string {
    return join(this.#dir, key);
  }

  async has(key: string): Promise<boolean> {
    return (await this.identity(key)) !== undefined;
  }

  /** Stands for this very template and not the next of its key; `undefined` if there is none. */
  async identity(key: string): Promise<string | undefined> {
    return await identityOf(this.path(key));
  }

  async touch(key: string): Promise<void> {
    const now = new Date();
    await utimes(join(this.path(key), templateFiles.used), now, now);
  }

  /** A directory in which to make one. */
  async scratch(): Promise<string> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    return await mkdtemp(join(this.#dir, ownScratch()));
  }

  /** Ends and removes what servers that were killed have left half made: its VM runs on. */
  async clearLeftovers(): Promise<void> {
    for (const name of await readdir(this.#dir).catch(() => [])) {
      if (!name.startsWith(scratchPrefix) || isAlive(makerOf(name))) continue;
      await endProcesses(this.path(name), []);
      await this.remove(name);
    }
  }

  /** Takes what was made there into the store, and makes room for it: what was used least recently goes first. */
  async keep(scratch: string, key: string): Promise<void> {
    await writeFile(join(scratch, templateFiles.used), "");
    try {
      await rename(scratch, this.path(key));
    } catch (error) {
      // Another server has made it meanwhile.
      if (!isErrno(error, "ENOTEMPTY") && !isErrno(error, "EEXIST")) throw error;
      await rm(scratch, { recursive: true, force: true });
    }
    await this.#makeRoom(key);
  }

  /** At once as a whole: nobody opens half of one. `identity`: only that very one, and not what another server has made in its place. */
  async remove(key: string, identity?: string): Promise<void> {
    const gone = join(this.#dir, `${ownScratch()}${randomUUID()}`);
    try {
      await rename(this.path(key), gone);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return;
      throw error;
    }
    if (identity !== undefined && (await identityOf(gone)) !== identity) {
      // Known only now; where yet another has been made meanwhile, that one is as good.
      const isBack = await rename(gone, this.path(key)).then(
        () => true,
        () => false,
      );
      if (isBack) return;
    }
    await rm(gone, { recursive: true, force: true });
  }

  /** The newest stays, even if it alone is above the limit: else it would be made again and again. */
  async #makeRoom(newest: string): Promise<void> {
    const names = (await readdir(this.#dir)).filter((name) => !name.startsWith(scratchPrefix));
    const kept = await Promise.all(names.map(async (name) => ({ name, ...(await this.#measure(name)) })));
    const byAge = kept.sort((a, b) => (a.name === newest ? -1 : b.name === newest ? 1 : b.usedAtMs - a.usedAtMs));
    let bytes = 0;
    for (const { name, sizeBytes } of byAge) {
      bytes += sizeBytes;
      if (bytes > this.#limitBytes && name !== newest) await this.remove(name);
    }
  }

  async #measure(name: string): Promise<{ readonly usedAtMs: number; readonly sizeBytes: number }> {
    const [used, self, ...files] = await Promise.all([
      statOrNone(join(this.path(name), templateFiles.used)),
      statOrNone(this.path(name)),
      statOrNone(join(this.path(name), templateFiles.memory)),
      statOrNone(join(this.path(name), templateFiles.state)),
      statOrNone(join(this.path(name), templateFiles.disk)),
    ]);
    // A sparse file takes the blocks that it has, which are counted in 512 bytes.
    const sizeBytes = files.reduce((sum, file) => sum + 512 * (file?.blocks ?? 0), 0);
    return { usedAtMs: (used ?? self)?.mtimeMs ?? 0, sizeBytes };
  }
}

/** Begins a name for what only this server has in hand, which the next one removes. */
function ownScratch(): string {
  const self = processRef(process.pid);
  return `${scratchPrefix}${self?.pid}-${self?.startTime}-`;
}

function makerOf(scratch: string): ProcessRef {
  const [pid = "", startTime = ""] = scratch.slice(scratchPrefix.length).split("-");
  return { pid: Number(pid), startTime };
}

/** A file's number may be given again at once; its time is another then. */
async function identityOf(dir: string): Promise<string | undefined> {
  const state = await statOrNone(join(dir, templateFiles.state));
  return state === undefined ? undefined : `${state.dev} ${state.ino} ${state.mtimeMs}`;
}

async function statOrNone(path: string) {
  return await stat(path).catch(() => undefined);
}
