import { posix } from "node:path";
import type { FileEntry } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import type { BoxRunClient } from "boxrun-sdk";
import { CliError } from "../failure.ts";
import { type ByteString, shown } from "./bytes.ts";
import type { Incomplete } from "./incomplete.ts";
import type { BoxPath } from "./location.ts";
import { isTreeRoot, type PackedFile } from "./pack.ts";
import type { TarHeader } from "./tar/header.ts";
import { type TarEntry, tarEntries } from "./tar/read.ts";

/** A file of a box, symlinks followed, with its mode, time and owner: those come with a tar only. VALIDATION_ERROR if it is none. */
export async function openBoxFile(
  client: BoxRunClient,
  { box, path }: BoxPath,
  name: ByteString,
  { signal, incomplete }: ReadOptions,
): Promise<PackedFile> {
  const archive = await client.files.downloadArchive(box, path, { signal, full: true });
  let missing: string | undefined;
  let begun = false;
  const onIncomplete = (_: ByteString, reason: string) => {
    if (begun) incomplete.add(`${box}:${path}`, reason);
    else missing = reason;
  };
  const entries = tarEntries(archive.content, { onIncomplete });
  const { value: entry } = await entries.next();
  if (entry === undefined) {
    if (missing !== undefined) throw new CliError("INCOMPLETE", `${path} in ${box} can't be read: ${missing}`);
    throw new BoxRunError("FILE_NOT_FOUND", `There is no ${path} in ${box} any more`);
  }
  begun = true;
  const { type, sizeBytes, data, mode, mtimeNs, uid, gid } = entry.header;
  if (type !== "file") {
    await entries.return(undefined);
    throw new BoxRunError("VALIDATION_ERROR", `${path} in ${box} is no regular file, but a ${type}`);
  }
  const attributes = { name, mode, mtimeNs, uid, gid };
  if (sizeBytes > 0) {
    const holes = data === undefined ? {} : { data };
    return { ...attributes, sizeBytes, ...holes, content: rest(entry.content, entries) };
  }
  // An older agent believes the files of /proc that they are empty.
  await entries.return(undefined);
  const download = await client.files.download(box, path, { signal });
  return { ...attributes, sizeBytes: download.sizeBytes ?? 0, content: download.content };
}

export interface ReadOptions {
  readonly signal: AbortSignal;
  readonly incomplete: Incomplete;
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

/** A directory of a box with all in it, an entry for itself first. */
export async function* boxTree(
  client: BoxRunClient,
  from: BoxPath,
  { signal, incomplete }: ReadOptions,
): AsyncGenerator<TarEntry> {
  const { content } = await client.files.downloadArchive(from.box, from.path, { signal, full: true });
  const onIncomplete = (path: ByteString, reason: string) =>
    incomplete.add(`${from.box}:${posix.join(from.path, shown(path))}`, reason);
  let begun = false;
  for await (const entry of tarEntries(content, { onIncomplete })) {
    const root = begun || isTreeRoot(entry.header) ? undefined : await listedDirectory(client, from, signal);
    begun = true;
    if (root !== undefined) yield root;
    yield entry;
  }
  const root = begun ? undefined : await listedDirectory(client, from, signal);
  if (root !== undefined) yield root;
}

/** An older agent's tar does not say it: from the directory above, unless the path is `/` or leads over a symlink. */
async function listedDirectory(
  client: BoxRunClient,
  { box, path }: BoxPath,
  signal: AbortSignal,
): Promise<TarEntry | undefined> {
  if (path === "/") return undefined;
  const entries = await client.files.list(box, posix.dirname(path), { signal });
  const entry = entries.find(({ name, type }) => type === "dir" && name === posix.basename(path));
  if (entry === undefined) return undefined;
  const { uid, gid, mode, mtime } = entry;
  const header: TarHeader = {
    ...{ name: "./", type: "directory", sizeBytes: 0, linkName: "", devMajor: 0, devMinor: 0, uid, gid },
    mode: Number.parseInt(mode, 8),
    mtimeNs: BigInt(Date.parse(mtime)) * 1_000_000n,
  };
  return { header, content: nothing() };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Beyond so many directories, looking would cost more than it tells. */
const mostListings = 1000;

/** How many bytes the files of a directory of a box have. `undefined` if that is too much to look at. */
export async function boxTreeBytes(
  client: BoxRunClient,
  { box, path }: BoxPath,
  signal: AbortSignal,
): Promise<number | undefined> {
  const waiting = [path];
  let bytes = 0;
  for (let listings = 0; waiting.length > 0; listings += 1) {
    const folder = waiting.pop();
    if (folder === undefined || listings === mostListings) return undefined;
    const entries = await client.files.list(box, folder, { signal }).catch((): FileEntry[] => []);
    signal.throwIfAborted();
    for (const { name, type, size } of entries) {
      if (type === "dir") waiting.push(posix.join(folder, name));
      if (type === "file") bytes += size;
    }
  }
  return bytes;
}
