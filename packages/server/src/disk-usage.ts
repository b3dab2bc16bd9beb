import { lstat, opendir, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Usage } from "@boxrun/contract";
import type { BoxDisks, BoxRunCore } from "@boxrun/core";

/** POSIX counts a file's blocks in these. */
const blockBytes = 512;

interface Places {
  readonly stateDir: string;
  readonly dbPath: string;
}

/** What takes how much of the disk, looked up now. What goes in the meantime counts nothing. */
export async function diskUsage(core: BoxRunCore, { stateDir, dbPath }: Places): Promise<Usage> {
  const boxes = await Promise.all(
    core.boxes.list().map(async ({ id, name }) => ({ id, name, disk_bytes: await sizeOf(join(stateDir, "vm", id)) })),
  );
  const file = await statfs(stateDir);
  return {
    boxes: boxes.toSorted((one, other) => other.disk_bytes - one.disk_bytes),
    boxes_bytes: boxes.reduce((sum, box) => sum + box.disk_bytes, 0),
    images_bytes: await sizeOf(join(stateDir, "images")),
    prepared_images_bytes: await sizeOf(join(stateDir, "disks")),
    output_bytes: core.outputBytes(),
    database_bytes: await sizeOfFiles(dirname(dbPath), basename(dbPath)),
    logs_bytes: await sizeOfFiles(stateDir, "server.log"),
    free_bytes: file.bavail * file.bsize,
    promised_bytes: await core.boxes.admission.promisedDiskBytes(),
  };
}

/** What boxes may write to, as the core asks for it. */
export function boxDisks(stateDir: string): BoxDisks {
  return {
    free: async () => {
      const { bavail, bsize } = await statfs(stateDir);
      return bavail * bsize;
    },
    written: async (boxIds) => {
      const sizes = boxIds.map((id) => sizeOf(join(stateDir, "vm", id), { shared: false }));
      return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    },
  };
}

/** Of a file, or of everything in a directory; `shared`: also of files that have another name, as a box's image has. */
async function sizeOf(path: string, { shared } = { shared: true }): Promise<number> {
  const stats = await ifThere(lstat(path));
  if (stats === undefined || (!shared && !stats.isDirectory() && stats.nlink > 1)) return 0;
  let sum = stats.blocks * blockBytes;
  if (!stats.isDirectory()) return sum;
  for (const name of await namesIn(path)) sum += await sizeOf(join(path, name), { shared });
  return sum;
}

/** Of the files of a directory whose names begin so: a database and its log, a log and the one before it. */
async function sizeOfFiles(directory: string, prefix: string): Promise<number> {
  let sum = 0;
  for (const name of await namesIn(directory)) {
    if (name.startsWith(prefix)) sum += await sizeOf(join(directory, name));
  }
  return sum;
}

async function namesIn(directory: string): Promise<string[]> {
  const names: string[] = [];
  const open = await ifThere(opendir(directory));
  if (open !== undefined) for await (const { name } of open) names.push(name);
  return names;
}

async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw error;
  }
}
