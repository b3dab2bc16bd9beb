import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Layer } from "./layer-content.ts";

const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const descriptorSchema = z.object({ digest: digestSchema, size: z.int().nonnegative() });
const indexSchema = z.object({ manifests: z.array(descriptorSchema).length(1, "must name exactly one image") });
const manifestSchema = z.object({ layers: z.array(descriptorSchema).max(1024) });

/** The layers of the one image that an OCI layout directory holds, from the bottom up. Throws an Error or ZodError if it is none. */
export async function readLayers(layoutDir: string): Promise<readonly Layer[]> {
  const index = indexSchema.parse(JSON.parse(await readFile(join(layoutDir, "index.json"), "utf8")));
  const [image] = index.manifests;
  if (image === undefined) throw new Error("index.json names no image");
  const manifest = manifestSchema.parse(JSON.parse(await readFile(blobFile(layoutDir, image.digest), "utf8")));
  return manifest.layers.map(({ digest, size }) => ({ digest, size, file: blobFile(layoutDir, digest) }));
}

function blobFile(layoutDir: string, digest: string): string {
  return join(layoutDir, "blobs", ...digest.split(":"));
}
