import { printable } from "../output/text.ts";
import { HostPlace } from "./host-place.ts";
import type { Count } from "./pack.ts";
import { type TarEntry, tarEntries } from "./tar.ts";

/**
 * Unpacks a tar stream from a box, which may hold anything, into a directory of this host: nothing is written outside of it, nobody's but
 * ours, and without setuid bits. A file appears when it is complete. Modes and times are the archive's, also those of directories, which
 * therefore come last. Resolves with what was left out, and why.
 */
export async function unpackDirectory(
  chunks: AsyncIterable<Uint8Array>,
  directory: string,
  count: Count = (content) => content,
): Promise<string[]> {
  const leftOut: string[] = [];
  const place = await HostPlace.open(directory);
  for await (const entry of tarEntries(chunks)) {
    const why = await unpackEntry(place, entry, count);
    if (why !== undefined) leftOut.push(`${printable(entry.header.name)}: ${why}`);
  }
  leftOut.push(...(await place.finish()));
  return leftOut;
}

/** Why it was left out. */
async function unpackEntry(place: HostPlace, entry: TarEntry, count: Count): Promise<string | undefined> {
  const { name, type, linkname, mode, mtime } = entry.header;
  const path = place.locate(name);
  if (path === undefined) return "it would lie outside of the directory";
  // What the decoder puts where bytes are no UTF-8: several names could become one.
  if (name.includes("\ufffd")) return "its name is not UTF-8; on a pipe (-) it would be kept";
  if (!(await place.holds(path))) return "a symlink would lead it out of the directory";
  switch (type) {
    case "directory":
      return await place.makeDirectory(path, { mode, mtime });
    case "file":
    case "contiguous-file":
      return await place.writeFile(path, count(entry.content), { mode, mtime });
    case "symlink":
      place.makeSymlinkLater(path, linkname ?? "", mtime);
      return undefined;
    case "link":
      return await place.makeHardLink(path, linkname ?? "");
    default:
      return `it is a ${type ?? "file of an unknown kind"}`;
  }
}
