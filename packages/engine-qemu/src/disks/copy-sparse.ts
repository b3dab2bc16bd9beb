import { open, rm } from "node:fs/promises";
import { run } from "@boxrun/host";

/** Copies an open file to a new one, with its holes, and where the host's file system can without a copy of its content. Nothing is left on failure. */
export async function copySparse(source: number, file: string, signal: AbortSignal): Promise<void> {
  try {
    await (await open(file, "wx", 0o600)).close();
    const args = [
      "--sparse=always",
      "--reflink=auto",
      "--no-target-directory",
      `/proc/${process.pid}/fd/${source}`,
      file,
    ];
    await run("cp", args, { operation: `make ${file}`, signal });
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}
