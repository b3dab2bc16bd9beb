import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findBoxProcesses, isAlive, type ProcessRef, processRefSchema } from "@boxrun/host";
import { z } from "zod";
import { TestServer } from "../support/server.ts";

/** A process around a box's QEMU: passt, virtiofsd, what confines them or waits for their end. */
export interface HelperProcess {
  readonly name: string;
  readonly ref: ProcessRef;
}

/** The processes of a box, as the engine keeps them. */
const recordSchema = z.object({ qemu: processRefSchema, helpers: z.array(processRefSchema) });

/** What state directory and images may take; the boxes' disks are a few MB each. */
const diskMb = 1024;

/**
 * The machine that a storm goes over: a server, its processes, its disk. Root gets a file system of its own, which can be filled without
 * anybody else noticing.
 */
export class Host implements AsyncDisposable {
  readonly hasOwnDisk = process.getuid?.() === 0;
  /** What boxes have as a volume. */
  readonly volumeDir: string;
  readonly #stateDir: string;
  readonly #seen = new Map<number, ProcessRef>();
  #server: TestServer | undefined;
  #up = new AbortController();

  private constructor(stateDir: string, volumeDir: string) {
    this.#stateDir = stateDir;
    this.volumeDir = volumeDir;
  }

  static async begin(): Promise<Host> {
    const host = new Host(await mkdtemp(join(tmpdir(), "br-")), await mkdtemp(join(tmpdir(), "br-volume-")));
    if (host.hasOwnDisk) {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${diskMb}m,mode=0700`, "tmpfs", host.#stateDir]);
    }
    host.#server = await TestServer.start({ stateDir: host.#stateDir });
    host.#up.abort();
    return host;
  }

  /** The server, once it is up. Rejects if `signal` aborts. */
  async server(signal?: AbortSignal): Promise<TestServer> {
    const up = this.#up.signal;
    if (!up.aborted) await once(up, "abort", signal === undefined ? {} : { signal });
    signal?.throwIfAborted();
    if (this.#server === undefined) throw new Error("there is no server");
    return this.#server;
  }

  /** Ends the server as said, and has another one take over. */
  async again(how: "kill" | "stop"): Promise<void> {
    const server = await this.server();
    this.#up = new AbortController();
    await server[how]();
    await server.restart();
    this.#up.abort();
  }

  /** Stops it for so long, as a debugger or a suspended laptop does. */
  async freezeServer(ms: number): Promise<void> {
    const { pid } = await this.server();
    process.kill(pid, "SIGSTOP");
    await delay(ms);
    process.kill(pid, "SIGCONT");
  }

  /** The processes of a box that is said to be running; `undefined` if there are none. */
  async processes(boxId: string): Promise<z.infer<typeof recordSchema> | undefined> {
    try {
      const record = recordSchema.parse(JSON.parse(await readFile(join(this.#boxes, boxId, "vm.json"), "utf8")));
      for (const ref of [record.qemu, ...record.helpers]) this.#seen.set(ref.pid, ref);
      return isAlive(record.qemu) ? record : undefined;
    } catch {
      return undefined;
    }
  }

  /** All that runs for a box but QEMU itself, those that its helpers have started and those that wait for them as well. */
  async helpers(boxId: string): Promise<HelperProcess[]> {
    const qemu = (await this.processes(boxId))?.qemu;
    const refs = await findBoxProcesses(join(this.#boxes, boxId));
    const named = refs.map(async (ref) => ({
      ref,
      name: await readFile(`/proc/${ref.pid}/comm`, "utf8").catch(() => ""),
    }));
    return (await Promise.all(named))
      .map(({ ref, name }) => ({ ref, name: name.trim() }))
      .filter(({ ref, name }) => name !== "" && ref.pid !== qemu?.pid && isAlive(ref));
  }

  /** Directories of boxes. */
  async boxDirectories(): Promise<string[]> {
    return await readdir(this.#boxes).catch(() => []);
  }

  /** Processes of boxes that anybody has ever seen and that still live. */
  leftAlive(): ProcessRef[] {
    return [...this.#seen.values()].filter(isAlive);
  }

  async fillDisk(): Promise<void> {
    const dd = spawn("dd", ["if=/dev/zero", `of=${this.#ballast}`, "bs=1M"], { stdio: "ignore" });
    // It ends by having no more room.
    await once(dd, "close");
  }

  async freeDisk(): Promise<void> {
    await rm(this.#ballast, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#server?.[Symbol.asyncDispose]().catch((error: unknown) => {
        // The mount point itself can't be removed while it is mounted.
        if (!String(error).includes("EBUSY")) throw error;
      });
    } finally {
      if (this.hasOwnDisk) execFileSync("umount", ["-l", this.#stateDir]);
      await rm(this.#stateDir, { recursive: true, force: true });
      await rm(this.volumeDir, { recursive: true, force: true });
    }
  }

  get #boxes(): string {
    return join(this.#stateDir, "vm");
  }

  get #ballast(): string {
    return join(this.#stateDir, "ballast");
  }
}
