import { buffer } from "node:stream/consumers";
import { z } from "zod";
import { parse } from "../oci/read-layout.ts";
import { maxDocumentBytes } from "../oci/schemas.ts";
import { entriesSchema, type IndexEntry } from "../oci/select.ts";
import { familiarReference, parseReference } from "../registry/reference.ts";
import { readTar } from "./tar-file.ts";

export type ArchiveContents =
  /** One for each image, in the archive's order, with the names that it has there. */
  | { readonly kind: "docker"; readonly images: readonly { readonly references: readonly string[] }[] }
  /** What the layout's index names: images, indexes of them for several platforms, and whatever else. */
  | { readonly kind: "oci"; readonly entries: readonly IndexEntry[] };

const dockerManifestSchema = z.array(z.looseObject({ RepoTags: z.array(z.string()).nullish() })).max(64);

/** Keys of a descriptor's annotations that name the image, the fullest name first. */
const nameAnnotations = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/**
 * What a tar file holds: a docker-archive (`manifest.json`), an OCI layout (`index.json`), or neither (`undefined`). Newer dockers write both
 * at once; then the docker-archive counts, because it says which platform is meant.
 */
export async function readContents(file: string, signal: AbortSignal): Promise<ArchiveContents | undefined> {
  const documents = new Map<string, Buffer>();
  await readTar(file, signal, async ({ header, content }) => {
    const name = header.name.replace(/^\.\//, "");
    if (name !== "index.json" && name !== "manifest.json") return;
    const { size } = header;
    if (size > maxDocumentBytes) throw new Error(`${name} has ${size} bytes; at most ${maxDocumentBytes} make sense`);
    documents.set(name, await buffer(content));
  });
  const manifest = documents.get("manifest.json");
  if (manifest !== undefined) {
    const images = parse(dockerManifestSchema, manifest, "manifest.json");
    return {
      kind: "docker",
      images: images.map(({ RepoTags }) => ({ references: references(RepoTags ?? []) })),
    };
  }
  const index = documents.get("index.json");
  if (index === undefined) return undefined;
  return { kind: "oci", entries: parse(entriesSchema, index, "index.json").manifests };
}

/** The names that an index gives to what it names. */
export function namesOf({ annotations = {} }: IndexEntry): string[] {
  const names = nameAnnotations.flatMap((key) => annotations[key] ?? []);
  return references(names.slice(0, 1));
}

/** Names as people write them; what is no reference is no name. */
function references(names: readonly string[]): string[] {
  const valid = names.flatMap((name) => {
    try {
      return [familiarReference(parseReference(name))];
    } catch {
      return [];
    }
  });
  return [...new Set(valid)];
}
