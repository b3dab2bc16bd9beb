import { isErrno } from "@boxrun/host";
import { z } from "zod";
import { hostArchitecture } from "./platform.ts";
import { isImageConfig, parse, readDocument } from "./read-layout.ts";
import { configSchema, type Descriptor, descriptorSchema, manifestSchema } from "./schemas.ts";

/** A descriptor with what it says of the thing that it names. */
const entrySchema = descriptorSchema.extend({
  platform: z
    .object({
      os: z.string().max(64).default(""),
      architecture: z.string().max(64).default(""),
      variant: z.string().max(64).default(""),
    })
    .optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type IndexEntry = z.infer<typeof entrySchema>;

/** An index of a layout, or a list of manifests of Docker's. */
export const entriesSchema = z.object({ schemaVersion: z.literal(2), manifests: z.array(entrySchema).max(1024) });

const indexTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];

/** Indexes within indexes, and documents that are read of one archive: more than anybody has. */
const maxDepth = 8;
const maxDocuments = 4096;

/** What an entry of an index comes to on this host. */
type Found =
  | { readonly kind: "image"; readonly descriptor: Descriptor; readonly fitness: number; readonly entry: IndexEntry }
  /** For another kind of machine, a signature or the like, or only mentioned. */
  | { readonly kind: "other"; readonly what: string };

/** Finds the manifests of an unpacked layout that are images for this host. */
export class ImageSelection {
  readonly #layoutDir: string;
  #documents = 0;

  constructor(layoutDir: string) {
    this.#layoutDir = layoutDir;
  }

  /**
   * What an entry of the layout's index comes to: itself, or of an index, however deep, the manifest that suits this host best. What is there for others
   * is passed over. Throws an Error that says what is malformed.
   */
  async resolve(entry: IndexEntry, depth = 0): Promise<Found> {
    if (depth > maxDepth) throw new Error(`its indexes are nested deeper than ${maxDepth}`);
    this.#documents += 1;
    if (this.#documents > maxDocuments) throw new Error(`it has more than ${maxDocuments} manifests`);
    if (isAttestation(entry)) return { kind: "other", what: "an attestation" };
    // Exporters may name all platforms of an image, and bring one.
    const content = await readDocument(this.#layoutDir, entry).catch((error: unknown) => {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    });
    if (content === undefined) return { kind: "other", what: `${platformName(entry.platform)}, which is not in it` };
    if (indexTypes.includes(entry.mediaType)) {
      const { manifests } = parse(entriesSchema, content, "an index");
      const found: Found[] = [];
      for (const manifest of manifests) found.push(await this.resolve(manifest, depth + 1));
      return best(found);
    }
    const manifest = parse(manifestSchema, content, "the manifest");
    if (!isImageConfig(manifest.config)) return { kind: "other", what: `${manifest.config.mediaType}, no image` };
    const platform = entry.platform ?? (await this.#platformOf(manifest.config));
    const fitness = fitnessOf(platform);
    if (fitness === undefined) return { kind: "other", what: platformName(platform) };
    const { mediaType, digest, size } = entry;
    return { kind: "image", descriptor: { mediaType, digest, size }, fitness, entry };
  }

  async #platformOf(config: Descriptor) {
    const { os, architecture, variant } = parse(
      configSchema,
      await readDocument(this.#layoutDir, config),
      "the config",
    );
    return { os, architecture, variant };
  }
}

/** The fittest image; where there is none, everything that is there. */
export function best(found: readonly Found[]): Found {
  let fittest: Extract<Found, { kind: "image" }> | undefined;
  for (const each of found) {
    if (each.kind === "image" && (fittest === undefined || each.fitness < fittest.fitness)) fittest = each;
  }
  if (fittest !== undefined) return fittest;
  const what = new Set(found.flatMap((each) => (each.kind === "other" ? [each.what] : [])));
  return { kind: "other", what: [...what].join(", ") || "nothing" };
}

function isAttestation({ platform, annotations }: IndexEntry): boolean {
  return annotations?.["vnd.docker.reference.type"] !== undefined || platform?.os === "unknown";
}

/** 0 is best; `undefined` does not run here. What says nothing of itself is taken for this host's. */
function fitnessOf(platform: { os: string; architecture: string; variant: string }): number | undefined {
  const { os, architecture, variant } = platform;
  if (os !== "linux" && os !== "") return undefined;
  if (architecture === "") return 1;
  if (architecture === hostArchitecture) return ["", "v1", "v2", "v8"].includes(variant) ? 0 : 2;
  return hostArchitecture === "amd64" && architecture === "386" ? 3 : undefined;
}

function platformName(platform: { os: string; architecture: string; variant: string } | undefined): string {
  if (platform === undefined) return "an image";
  return [platform.os || "linux", platform.architecture, platform.variant].filter((part) => part !== "").join("/");
}
