import { readFileSync } from "node:fs";
import { join } from "node:path";
import { locatePart } from "@boxrun/host";
import { z } from "zod";

/** `<cacheDir>/images/current.json`: the base image that new boxes get. It lies beside as the OCI layout `base-<key>`. */
const basePointerSchema = z.object({
  version: z.literal(1),
  /** sha256 of everything that it was built from. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
});
export type BasePointer = z.infer<typeof basePointerSchema>;

const pointerFile = "current.json";

export function baseCacheDir(cacheDir: string): string {
  return join(cacheDir, "images");
}

export function baseLayoutDir(cacheDir: string, key: string): string {
  return join(baseCacheDir(cacheDir), `base-${key}`);
}

export function basePointerFile(cacheDir: string): string {
  return join(baseCacheDir(cacheDir), pointerFile);
}

/** The OCI layout of the base image: as built here, else as a package brought it. RUNTIME_ERROR with what to do if there is none. */
export function locateBase(cacheDir: string): string {
  return locatePart({
    operation: "find the base image",
    folder: "images",
    cacheDir,
    read: (root) => {
      const { key } = basePointerSchema.parse(JSON.parse(readFileSync(join(root, pointerFile), "utf8")));
      return join(root, `base-${key}`);
    },
  });
}
