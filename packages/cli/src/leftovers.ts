import { existsSync } from "node:fs";
import { lstat, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirOf } from "./cache-dir.ts";
import { configDirOf } from "./contexts/file.ts";
import { homeDir } from "./home.ts";
import { stateDirOf } from "./target.ts";

/** A directory that BoxRun keeps something in. */
export interface Place {
  readonly what: string;
  readonly dir: string;
  /** Names in it that are BoxRun's. Nothing else is ever removed: somebody may have said BOXRUN_STATE_DIR=$HOME. */
  readonly entries: readonly string[];
}

/** Those that there are. */
export function places(env: NodeJS.ProcessEnv): Place[] {
  const all: Place[] = [
    {
      what: "boxes, images and log",
      dir: stateDirOf(env),
      entries: [
        "boxlite",
        "boxrun.db",
        "boxrun.db.backup",
        "boxrun.db.backup.new",
        "boxrun.db-wal",
        "boxrun.db-shm",
        "boxrun.sock",
        "disks",
        "images",
        "lock",
        "server.json",
        "server.json.new",
        "server.log",
        "server.log.1",
        "tmp",
        "vm",
      ],
    },
    {
      what: "kernel, agent and base image",
      dir: cacheDirOf(env),
      entries: ["agent", "compile", "guest", "images", "kernel", "outer-vm", "probe", "templates", "test"],
    },
    { what: "contexts", dir: configDirOf(env), entries: ["contexts.json"] },
  ];
  return all.filter(({ dir, entries }) => entries.some((entry) => existsSync(join(dir, entry))));
}

/** What is on the disk, in bytes: a sparse file's holes don't count. */
export async function sizeOf({ dir, entries }: Place): Promise<number> {
  const sizes = await Promise.all(entries.map((entry) => diskUse(join(dir, entry))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function diskUse(path: string): Promise<number> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return 0;
  let sum = found.blocks * 512;
  if (found.isDirectory()) {
    for (const name of await readdir(path).catch(() => [])) sum += await diskUse(join(path, name));
  }
  return sum;
}

/** Resolves with the names of what is left in the directory because it is not BoxRun's; the directory itself stays then. */
export async function removePlace({ dir, entries }: Place): Promise<string[]> {
  for (const entry of entries) await rm(join(dir, entry), { recursive: true, force: true });
  const others = await readdir(dir);
  if (others.length === 0) await rmdir(dir);
  return others;
}

/** Scripts of `boxrun completion` where its help says to put them. */
export function completionFiles(env: NodeJS.ProcessEnv): string[] {
  const data = env.XDG_DATA_HOME || join(homeDir(), ".local", "share");
  const config = env.XDG_CONFIG_HOME || join(homeDir(), ".config");
  return [
    join(data, "bash-completion", "completions", "boxrun"),
    join(homeDir(), ".zfunc", "_boxrun"),
    join(config, "fish", "completions", "boxrun.fish"),
  ].filter((path) => existsSync(path));
}
