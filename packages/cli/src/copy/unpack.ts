import { type ByteString, shown } from "./bytes.ts";
import type { HostDirectory } from "./host-directory.ts";
import { HostPlace } from "./host-place.ts";
import type { Count } from "./pack.ts";
import type { TarEntry } from "./tar/read.ts";

export interface UnpackOptions {
  readonly count?: Count;
  /** The name of a directory to be made in `directory` for what is in the archive; what it says of `./` is that one's. */
  readonly under?: ByteString | undefined;
}

/**
 * Unpacks a tar from a box, which may hold anything, into a directory of this host, which it closes: nothing is written outside of
 * it, nobody's but ours, and without setuid bits. A file appears when it is complete. Modes and times are the archive's, also those of
 * directories that are made; those that are there keep theirs. Resolves with what was left out, and why.
 */
export async function unpackDirectory(
  entries: AsyncIterable<TarEntry>,
  directory: HostDirectory,
  { count = (content) => content, under }: UnpackOptions = {},
): Promise<string[]> {
  const leftOut: string[] = [];
  await using place = new HostPlace(directory);
  for await (const entry of entries) {
    const why = await unpackEntry(place, entry, count, under);
    if (why !== undefined) leftOut.push(`${shown(entry.header.name)}: ${why}`);
  }
  await place.finish();
  return leftOut;
}

/** Why it was left out. */
async function unpackEntry(
  place: HostPlace,
  { header, content }: TarEntry,
  count: Count,
  under: ByteString | undefined,
): Promise<string | undefined> {
  const { name, type, linkName } = header;
  const inside = HostPlace.parts(name);
  if (inside === undefined) return "it would lie outside of the directory";
  const parts = under === undefined ? inside : [under, ...inside];
  switch (type) {
    case "directory":
      return parts.length === 0 ? undefined : await place.makeDirectory(parts, header);
    case "file":
      return await place.writeFile(parts, count(content), header);
    case "symlink":
      return await place.makeSymlink(parts, linkName, header.mtimeNs);
    case "link":
      return await place.makeHardLink(parts, under === undefined ? linkName : `${under}/${linkName}`);
    default:
      return `it is ${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
  }
}
