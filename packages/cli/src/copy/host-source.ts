import type { BigIntStats } from "node:fs";
import { constants } from "node:fs";
import { type FileHandle, open, readlink, realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { CliError } from "../failure.ts";
import { type ByteString, shown } from "./bytes.ts";
import { HostDirectory } from "./host-directory.ts";
import { hostFailure } from "./host-failure.ts";

export interface HostFile extends AsyncDisposable {
  readonly handle: FileHandle;
  readonly stat: BigIntStats;
}

/**
 * What the user named as the source. A symlink is followed where it stays in its own directory: one that leads out of it may be a guest's,
 * in the directory of a volume, and lead to any file that its user may read and the guest may not. `followLinks`: the user knows.
 */
export async function openSourceFile(path: string, followLinks: boolean): Promise<HostFile> {
  const { O_NOCTTY, O_NONBLOCK, O_RDONLY } = constants;
  const handle = await open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY).catch((error: unknown) => {
    throw hostFailure(error);
  });
  try {
    if (!followLinks) {
      const real = await readlink(`/proc/self/fd/${handle.fd}`, { encoding: "buffer" });
      await requireInItsDirectory(real.toString("latin1"), path);
    }
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) throw new CliError("HOST_FILE", `There is no regular file ${path} on this host`);
    return { handle, stat, [Symbol.asyncDispose]: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export async function openSourceDirectory(path: string, followLinks: boolean): Promise<HostDirectory> {
  const directory = await HostDirectory.open(path);
  try {
    if (!followLinks) await requireInItsDirectory(await directory.realPath(), path);
    return directory;
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}

/** `real` is where the opened one is, so that nobody can put something else there in between. */
async function requireInItsDirectory(real: ByteString, path: string): Promise<void> {
  // `DIR/.` and `DIR/` follow a symlink as well.
  const named = path.replace(/(\/\.?)+$/, "");
  if (["", ".", ".."].includes(basename(named))) return;
  const above = (
    await realpath(dirname(named), { encoding: "buffer" }).catch((error: unknown) => {
      throw hostFailure(error);
    })
  ).toString("latin1");
  if (real.startsWith(above === "/" ? "/" : `${above}/`)) return;
  throw new CliError(
    "USAGE",
    `${path} is a symlink that leads out of its directory, to ${shown(real)}`,
    "If that is what you mean, --follow-link (-L) follows it.",
  );
}
