import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import { isErrno } from "@boxrun/host";

const cgroupRoot = "/sys/fs/cgroup";
const wanted = ["cpu", "memory", "pids"] as const;
type Controller = (typeof wanted)[number];

/** What all processes of a box may take together. */
export interface BoxLimits {
  readonly cpu: number;
  readonly memoryMb: number;
  readonly processes: number;
}

/**
 * A cgroup (version 2) for each box, below one that was delegated to the server. QEMU, the network and the volumes of a box are in it, and
 * stay there when the server ends.
 */
export class BoxCgroups {
  readonly #dir: string;
  readonly #controllers: ReadonlySet<Controller>;

  private constructor(dir: string, controllers: ReadonlySet<Controller>) {
    this.#dir = dir;
    this.#controllers = controllers;
  }

  /**
   * `setting`: an absolute path, or `own` for the cgroup that the server runs in, whose processes then go one level deeper, for a cgroup that shares
   * something out has none itself. RUNTIME_ERROR, with the reason, if it can't be used.
   */
  static async open(setting: string): Promise<BoxCgroups> {
    try {
      const dir = setting === "own" ? await ownCgroup() : setting;
      if (!isAbsolute(dir)) throw new Error("it is neither `own` nor an absolute path");
      const there = new Set((await readFile(join(dir, "cgroup.controllers"), "utf8")).trim().split(" "));
      const controllers = new Set(wanted.filter((name) => there.has(name)));
      if (controllers.size === 0) {
        throw new Error(
          `${dir} has none of the controllers ${wanted.join(", ")}: they were not delegated, or belong to cgroups of version 1 here`,
        );
      }
      if (setting === "own") await moveDown(dir);
      await writeFile(join(dir, "cgroup.subtree_control"), [...controllers].map((name) => `+${name}`).join(" "));
      return new BoxCgroups(dir, controllers);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new BoxRunError("RUNTIME_ERROR", `BOXRUN_CGROUP=${setting} can't be used for boxes: ${reason}`, {
        cause: error,
      });
    }
  }

  /** For a person. */
  get how(): string {
    const missing = wanted.filter((name) => !this.#controllers.has(name));
    const lack = missing.length === 0 ? "" : `, without ${missing.join(" and ")}`;
    return `each box in a cgroup of its own below ${this.#dir} (${[...this.#controllers].join(", ")}${lack})`;
  }

  /** Makes a box's cgroup, or sets the limits of the one that is there. */
  async make(boxId: string, limits: BoxLimits): Promise<string> {
    const dir = join(this.#dir, boxId);
    await mkdir(dir, { recursive: true });
    const set = async (controller: Controller, file: string, value: number) => {
      if (this.#controllers.has(controller)) await writeFile(join(dir, file), String(value));
    };
    await set("memory", "memory.max", limits.memoryMb * 1024 * 1024);
    await set("pids", "pids.max", limits.processes);
    // A share for each CPU; 100 is what any other cgroup has.
    await set("cpu", "cpu.weight", Math.min(10_000, 100 * limits.cpu));
    return dir;
  }

  /** The box is gone, and its cgroup with it. */
  async drop(boxId: string): Promise<void> {
    // The kernel takes a moment over a process that has just ended.
    for (let attempt = 0; attempt < 20; attempt++) {
      try {
        return await rmdir(join(this.#dir, boxId));
      } catch (error) {
        if (isErrno(error, "ENOENT")) return;
        if (!isErrno(error, "EBUSY")) throw error;
        await sleep(50);
      }
    }
  }
}

async function ownCgroup(): Promise<string> {
  const found = delegatedTo(await readFile("/proc/self/cgroup", "utf8"));
  if (found === undefined) throw new Error("this host has no cgroups of version 2");
  return join(cgroupRoot, found);
}

/** Where the server is itself, below the cgroup that it shares out: it goes there, or systemd starts it there (`DelegateSubgroup=server`). */
const serverCgroup = "server";

/** By what /proc/PID/cgroup says of the server. */
export function delegatedTo(text: string): string | undefined {
  const path = /^0::(\/.*)$/m.exec(text)?.[1];
  return path !== undefined && basename(path) === serverCgroup ? dirname(path) : path;
}

/** Where the server and whatever else is there already go. */
async function moveDown(dir: string): Promise<void> {
  const below = join(dir, serverCgroup);
  await mkdir(below, { recursive: true });
  const pids = (await readFile(join(dir, "cgroup.procs"), "utf8")).split("\n").filter((pid) => pid !== "");
  for (const pid of pids) await move(Number(pid), below);
}

async function move(pid: number, dir: string): Promise<void> {
  try {
    await writeFile(join(dir, "cgroup.procs"), String(pid));
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}
