import { posix } from "node:path";
import type { FileEntry } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import type { BoxRunClient } from "@boxrun/sdk";
import type { BoxPath } from "./location.ts";
import type { PackedFile } from "./pack.ts";
import { type TarEntry, tarEntries } from "./tar.ts";

/** A file of a box, symlinks followed, with its mode, time and owner: those come with a tar only. VALIDATION_ERROR if it is none. */
export async function openBoxFile(
  client: BoxRunClient,
  { box, path }: BoxPath,
  name: string,
  signal: AbortSignal,
): Promise<PackedFile> {
  const archive = await client.files.downloadArchive(box, path, { signal });
  const entries = tarEntries(archive.content);
  const { value: entry } = await entries.next();
  if (entry === undefined) throw new BoxRunError("FILE_NOT_FOUND", `There is no ${path} in ${box} any more`);
  const { type, size, mode, mtime, uid, gid } = entry.header;
  if (type !== "file" && type !== "contiguous-file") {
    await entries.return(undefined);
    throw new BoxRunError("VALIDATION_ERROR", `${path} in ${box} is no regular file, but a ${type}`);
  }
  const attributes = { name, mode, mtime, uid, gid };
  if (size > 0) return { ...attributes, sizeBytes: size, content: rest(entry.content, entries) };
  // Those of /proc only say that they are empty.
  await entries.return(undefined);
  const { content, sizeBytes } = await client.files.download(box, path, { signal });
  return { ...attributes, sizeBytes: sizeBytes ?? 0, content };
}

async function* rest(
  content: AsyncIterable<Uint8Array>,
  entries: AsyncGenerator<TarEntry>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
    // To its end, so that a transfer that breaks off behind the content is told.
    for await (const _ of entries);
  } finally {
    await entries.return(undefined);
  }
}

/** Mode and time of a directory, from the one above it. `undefined` for `/`, and where the path leads over a symlink. */
export async function boxDirectory(
  client: BoxRunClient,
  { box, path }: BoxPath,
  signal: AbortSignal,
): Promise<{ readonly mode: number; readonly mtime: Date; readonly uid: number; readonly gid: number } | undefined> {
  if (path === "/") return undefined;
  const entries = await client.files.list(box, posix.dirname(path), { signal });
  const entry = entries.find(({ name, type }) => type === "dir" && name === posix.basename(path));
  return (
    entry && { mode: Number.parseInt(entry.mode, 8), mtime: new Date(entry.mtime), uid: entry.uid, gid: entry.gid }
  );
}

const blockBytes = 512;
/** Beyond so many directories, looking would cost more than it tells. */
const mostListings = 1000;

export interface TreeSize {
  readonly contentBytes: number;
  /** With headers and padding. */
  readonly archiveBytes: number;
}

/** What a directory of a box holds. `undefined` if that is too much to look at. */
export async function boxTreeSize(
  client: BoxRunClient,
  { box, path }: BoxPath,
  signal: AbortSignal,
): Promise<TreeSize | undefined> {
  const waiting = [path];
  let contentBytes = 0;
  let archiveBytes = 2 * blockBytes;
  for (let listings = 0; waiting.length > 0; listings += 1) {
    const folder = waiting.pop();
    if (folder === undefined || listings === mostListings) return undefined;
    const entries = await client.files.list(box, folder, { signal }).catch((): FileEntry[] => []);
    signal.throwIfAborted();
    for (const { name, type, size } of entries) {
      if (type === "dir") waiting.push(posix.join(folder, name));
      archiveBytes += blockBytes;
      if (type !== "file") continue;
      contentBytes += size;
      archiveBytes += Math.ceil(size / blockBytes) * blockBytes;
    }
  }
  return { contentBytes, archiveBytes };
}
