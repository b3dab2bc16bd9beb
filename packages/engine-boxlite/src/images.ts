import { open, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Layout } from "./layout.ts";

/** qcow2's header: magic, version, then the backing file's name as offset u64 and length u32, big-endian. */
const qcow2Magic = 0x514649fb;
const maxNameBytes = 1023;

/** The file that a box's disk was made over; `undefined` if it stands alone or is no qcow2. */
async function backingFile(disk: string): Promise<string | undefined> {
  const file = await open(disk).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const header = Buffer.alloc(20);
    await file.read(header, 0, header.length, 0);
    const length = header.readUInt32BE(16);
    if (header.readUInt32BE(0) !== qcow2Magic || length === 0 || length > maxNameBytes) return undefined;
    const name = Buffer.alloc(length);
    await file.read(name, 0, length, Number(header.readBigUInt64BE(8)));
    return name.toString("utf8");
  } finally {
    await file.close();
  }
}

/**
 * Removes the image disks that no box is over. BoxLite 0.10.0 makes one of each image and size, keeps it for ever and has no call to
 * remove it; the next box of that image makes it again.
 */
export async function removeUnusedImageDisks(layout: Layout): Promise<void> {
  const used = new Set<string>();
  for (const box of await names(join(layout.home, "boxes"))) {
    const backing = await backingFile(join(layout.engineDir(box), "disks", "disk.qcow2"));
    if (backing !== undefined) used.add(basename(backing));
  }
  const dir = join(layout.home, "images", "disk-images");
  for (const name of await names(dir)) {
    if (name.endsWith(".ext4") && !used.has(name)) await rm(join(dir, name), { force: true });
  }
}

async function names(dir: string): Promise<readonly string[]> {
  return await readdir(dir).catch(() => []);
}
