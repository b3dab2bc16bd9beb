import { once } from "node:events";
import { lstat, realpath, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { extract } from "tar";

interface Link {
  /** Below the directory. */
  readonly path: string;
  readonly target: string;
}

/**
 * Unpacks a tar stream from a box, which may hold anything, into a directory of this host: nothing is written outside of it (tar sees to
 * that), nobody's but ours, and without setuid bits. Resolves with what was left out, and why.
 */
export async function unpackDirectory(chunks: AsyncIterable<Uint8Array>, directory: string): Promise<string[]> {
  const leftOut: string[] = [];
  const links: Link[] = [];
  // Modes as they are in the box, as cp -p would; those that the archive does not say are the usual ones.
  const umask = process.umask(0);
  try {
    await unpack(chunks, directory, { links, leftOut });
  } finally {
    process.umask(umask);
  }
  // Last, when nothing is written any more: so they may point anywhere, as they do in the box, and lead nothing astray.
  const root = await realpath(directory);
  for (const link of links) {
    await makeLink(root, link).catch((error: unknown) => {
      leftOut.push(`${link.path}: ${error instanceof Error ? error.message : String(error)}`);
    });
  }
  return leftOut;
}

interface Findings {
  readonly links: Link[];
  readonly leftOut: string[];
}

async function unpack(
  chunks: AsyncIterable<Uint8Array>,
  directory: string,
  { links, leftOut }: Findings,
): Promise<void> {
  const unpacking = extract({
    cwd: directory,
    preserveOwner: false,
    chmod: true,
    processUmask: 0,
    dmode: 0o755,
    fmode: 0o644,
    filter: (path, entry) => {
      if ("mode" in entry && entry.mode !== undefined) entry.mode &= 0o777;
      if (!("type" in entry) || entry.type !== "SymbolicLink") return true;
      links.push({ path, target: entry.linkpath ?? "" });
      return false;
    },
    onwarn: (_, message) => void leftOut.push(String(message).replace(/^Error: /, "")),
  });
  const closed = once(unpacking, "close");
  // It may fail before we wait for it.
  closed.catch(() => undefined);
  for await (const chunk of chunks) {
    if (!unpacking.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))) {
      await Promise.race([once(unpacking, "drain"), closed]);
    }
  }
  unpacking.end();
  await closed;
}

/** Not through another symlink: its directory must be where its path says. */
async function makeLink(root: string, { path, target }: Link): Promise<void> {
  const place = join(root, path);
  const folder = dirname(place);
  if (!`${place}/`.startsWith(`${root}/`) || place === root || (await realpath(folder)) !== folder) {
    throw new Error("it would lie outside of the directory");
  }
  const found = await lstat(place).catch(() => undefined);
  if (found?.isDirectory()) throw new Error("there is a directory");
  await rm(place, { force: true });
  await symlink(target, place);
}
