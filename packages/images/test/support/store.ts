import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { silentLogger } from "@boxrun/core";
import { createImageContent } from "../../src/index.ts";
import { tempDir } from "./temp-dir.ts";

/** An image store in a directory of its own. */
export async function makeStore(options: { readonly dir?: string; readonly pullIdleTimeoutMs?: number } = {}) {
  const dir = options.dir ?? (await tempDir());
  const { pullIdleTimeoutMs = 20_000 } = options;
  const cacheDir = join(dir, "cache");
  return { dir, content: createImageContent({ dir, cacheDir, logger: silentLogger, pullIdleTimeoutMs }) };
}

/** Everything that a store holds: blobs, layouts, work in progress. */
export async function holdings(dir: string): Promise<{ blobs: string[]; layouts: string[]; scratch: string[] }> {
  const list = async (...parts: string[]) => (await readdir(join(dir, ...parts)).catch(() => [])).sort();
  return { blobs: await list("blobs/sha256"), layouts: await list("layouts"), scratch: await list("scratch") };
}

export const empty = { blobs: [], layouts: [], scratch: [] };

export async function inode(file: string): Promise<number> {
  return (await stat(file)).ino;
}

/** Options of a pull that nobody gives up or watches. */
export const patient = { signal: new AbortController().signal, onProgress: () => undefined };
