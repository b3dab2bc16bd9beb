import { open, rm } from "node:fs/promises";
import { requireTool, run } from "@boxrun/host";

/**
 * Makes a box's own disk: a sparse file with an empty ext4. It takes room on the host as the box fills it, and gives room back as
 * the box deletes. Nothing is left of it on failure.
 */
export async function makeBoxDisk(file: string, sizeGb: number, signal: AbortSignal): Promise<void> {
  const operation = `make the box's disk ${file}`;
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.truncate(sizeGb * 1024 ** 3);
    } finally {
      await handle.close();
    }
    await run(
      requireTool("mkfs.ext4", operation),
      [
        ...["-q", "-F", "-m", "0"],
        // Nobody zeroes the tables, neither now nor as the guest goes (guest/internal/boot/setup.go): a sparse file is zero already.
        ...["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"],
        file,
      ],
      { operation, signal },
    );
    // Makes the guest tell what it deletes, however it mounts the disk.
    await run(requireTool("tune2fs", operation), ["-o", "discard", "-e", "remount-ro", file], { operation, signal });
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}
