import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostArchitecture } from "./platform.ts";
import { type Descriptor, mediaTypes } from "./schemas.ts";

export interface NewImage {
  /** One layer, already in place below `blobs/sha256`. */
  readonly layer: Descriptor;
  /** `sha256:…` of the layer's tar before compression. */
  readonly diffId: string;
  readonly config: {
    readonly Env: readonly string[];
    readonly WorkingDir: string;
    readonly User?: string;
    readonly Entrypoint?: readonly string[];
    readonly Cmd?: readonly string[];
  };
  /** RFC 3339; part of the digest. */
  readonly created: string;
}

export function blobDir(layoutDir: string): string {
  return join(layoutDir, "blobs", "sha256");
}

export function blobFile(layoutDir: string, digest: string): string {
  return join(blobDir(layoutDir), digest.slice("sha256:".length));
}

/** Writes config, manifest and index around a layer and returns the manifest's descriptor. The same input gives the same digest. */
export async function writeImage(layoutDir: string, image: NewImage): Promise<Descriptor> {
  const config = await writeBlob(layoutDir, mediaTypes.config, {
    created: image.created,
    architecture: hostArchitecture,
    os: "linux",
    config: image.config,
    rootfs: { type: "layers", diff_ids: [image.diffId] },
    history: [{ created: image.created, created_by: "boxrun" }],
  });
  const manifest = await writeBlob(layoutDir, mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: [image.layer],
  });
  await writeLayoutFiles(layoutDir, manifest);
  return manifest;
}

/** Writes `oci-layout` and an `index.json` that names this one image, by `reference` if it has one. */
export async function writeLayoutFiles(layoutDir: string, manifest: Descriptor, reference?: string): Promise<void> {
  const annotations =
    reference === undefined ? {} : { annotations: { "org.opencontainers.image.ref.name": reference } };
  const { mediaType, digest, size } = manifest;
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [{ mediaType, digest, size, ...annotations }],
  };
  await writeFile(join(layoutDir, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(join(layoutDir, "index.json"), JSON.stringify(index));
}

async function writeBlob(layoutDir: string, mediaType: string, document: object): Promise<Descriptor> {
  const content = Buffer.from(JSON.stringify(document));
  const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
  await mkdir(blobDir(layoutDir), { recursive: true });
  await writeFile(blobFile(layoutDir, digest), content);
  return { mediaType, digest, size: content.length };
}
