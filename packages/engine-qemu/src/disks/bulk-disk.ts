import { open } from "node:fs/promises";
import { bulkDiskBytes } from "@boxrun/guest-agent";

/** Makes the disk for transfers of a VM that is about to start: empty, and it takes room on the host only as it is used. */
export async function makeBulkDisk(file: string): Promise<void> {
  await using handle = await open(file, "w", 0o600);
  await handle.truncate(bulkDiskBytes);
}
