import { createHash } from "node:crypto";
import { open } from "node:fs/promises";

/** Offsets in the superblock, and its length: https://dr-emann.github.io/squashfs, "Superblock". */
const superblockBytes = 96;
const inodeTableAt = 64;

/**
 * Stands for all that a kernel that has mounted this squashfs may remember of it: where which block lies. Two files of one image whose layouts differ, made by two versions of a program,
 * can't be exchanged below it; two whose layouts are the same can.
 */
export async function squashfsLayout(path: string): Promise<string> {
  await using file = await open(path);
  const { size } = await file.stat();
  const superblock = Buffer.alloc(superblockBytes);
  await file.read(superblock, 0, superblockBytes, 0);
  // Behind the files' content come the tables of inodes, directories, fragments and owners, up to the end.
  const start = Number(superblock.readBigUInt64LE(inodeTableAt));
  const hash = createHash("sha256").update(superblock);
  for await (const chunk of file.createReadStream({ start: Math.min(start, size), autoClose: false }))
    hash.update(chunk);
  return hash.digest("hex");
}
