import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { z } from "zod";

/** `<cacheDir>/images/current.json`: the base image that new boxes get. It lies beside as the OCI layout `base-<key>`. */
const basePointerSchema = z.object({
  version: z.literal(1),
  /** sha256 of everything that it was built from. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
});
export type BasePointer = z.infer<typeof basePointerSchema>;

export function baseCacheDir(cacheDir: string): string {
  return join(cacheDir, "images");
}

export function baseLayoutDir(cacheDir: string, key: string): string {
  return join(baseCacheDir(cacheDir), `base-${key}`);
}

export function basePointerFile(cacheDir: string): string {
  return join(baseCacheDir(cacheDir), "current.json");
}

/** The OCI layout of the base image. RUNTIME_ERROR with what to run if it was not built yet. */
export async function locateBase(cacheDir: string): Promise<string> {
  try {
    const { key } = basePointerSchema.parse(JSON.parse(await readFile(basePointerFile(cacheDir), "utf8")));
    return baseLayoutDir(cacheDir, key);
  } catch (error) {
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `find the base image: none is built in ${baseCacheDir(cacheDir)}; run \`npm run setup\``,
      { cause: error },
    );
  }
}
