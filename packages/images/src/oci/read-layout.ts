import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@boxrun/host";
import { z } from "zod";
import {
  type Config,
  configSchema,
  type Descriptor,
  indexSchema,
  type Manifest,
  manifestSchema,
  maxDocumentBytes,
  mediaTypes,
} from "./schemas.ts";
import { blobFile } from "./write-layout.ts";

export interface LayoutImage {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: Config;
}

/** The blob that is not what its digest says. */
export class DamagedBlobError extends Error {
  readonly digest: string;

  constructor(digest: string, what: string) {
    super(`blob ${digest}: ${what}`);
    this.digest = digest;
  }
}

/** Reads the one image that a layout names. Throws an Error that says what is wrong; contents of layers are not looked at. */
export async function readLayout(layoutDir: string): Promise<LayoutImage> {
  const index = parse(indexSchema, await readBounded(join(layoutDir, "index.json")), "index.json");
  const [descriptor, ...others] = index.manifests;
  if (descriptor === undefined || others.length > 0) {
    throw new Error(`index.json names ${index.manifests.length} images where one is expected`);
  }
  const manifest = parse(manifestSchema, await readDocument(layoutDir, descriptor), "the manifest");
  const config = parse(configSchema, await readDocument(layoutDir, manifest.config), "the config");
  return { descriptor, manifest, config };
}

/** Reads every layer and checks it against its digest. DamagedBlobError. */
export async function verifyLayers(layoutDir: string, manifest: Manifest, signal: AbortSignal): Promise<void> {
  for (const layer of new Map(manifest.layers.map((each) => [each.digest, each])).values()) {
    const hash = createHash("sha256");
    let size = 0;
    const file = createReadStream(blobFile(layoutDir, layer.digest), { highWaterMark: 256 * 1024, signal });
    try {
      for await (const chunk of file) {
        hash.update(chunk);
        size += chunk.length;
      }
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      throw new DamagedBlobError(layer.digest, `it is missing${whoHasIt(layer)}`);
    }
    check(layer, size, hash.digest("hex"));
  }
}

/** Layers that may not be passed on come as addresses alone, unless somebody packed them all the same. */
function whoHasIt({ mediaType }: Descriptor): string {
  const isForeign = mediaType.includes(".nondistributable.") || mediaType.includes(".foreign.");
  return isForeign ? "; its license keeps the layer from registries, and BoxRun fetches nothing from elsewhere" : "";
}

/** What a manifest's config may be for an image; everything else that registries hold has others. The last one is what old ones said of all. */
export function isImageConfig({ mediaType }: Descriptor): boolean {
  return [mediaTypes.config, "application/vnd.docker.container.image.v1+json", "application/octet-stream"].includes(
    mediaType,
  );
}

async function readBounded(file: string): Promise<Buffer> {
  await using handle = await open(file, "r");
  const { size } = await handle.stat();
  if (size > maxDocumentBytes) throw new Error(`${file} has ${size} bytes; at most ${maxDocumentBytes} make sense`);
  return await readFile(handle);
}

/** Parses JSON against a schema. Throws an Error of one line. */
export function parse<T>(schema: z.ZodType<T>, content: Buffer, what: string): T {
  try {
    return schema.parse(JSON.parse(content.toString("utf8")));
  } catch (error) {
    const reason = error instanceof z.ZodError ? firstIssue(error) : String(error);
    throw new Error(`${what} is malformed: ${reason}`, { cause: error });
  }
}

/** A blob of a layout that is a document, checked against its descriptor. ENOENT. */
export async function readDocument(layoutDir: string, descriptor: Descriptor): Promise<Buffer> {
  const content = await readBounded(blobFile(layoutDir, descriptor.digest));
  check(descriptor, content.length, createHash("sha256").update(content).digest("hex"));
  return content;
}

function check(descriptor: Descriptor, size: number, hex: string): void {
  if (size !== descriptor.size) {
    throw new DamagedBlobError(descriptor.digest, `it has ${size} bytes where the manifest says ${descriptor.size}`);
  }
  if (descriptor.digest !== `sha256:${hex}`) {
    throw new DamagedBlobError(descriptor.digest, "its content does not match its digest");
  }
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue === undefined ? error.message : `${issue.path.join(".")}: ${issue.message}`;
}
