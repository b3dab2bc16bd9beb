import { z } from "zod";

/** The parts of the OCI image specification that BoxRun reads and writes. Images are hostile: every list and text is bounded. */

export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
} as const;

/** Largest index, manifest or config that is read, in bytes; registries draw the line at 4 MiB too. */
export const maxDocumentBytes = 4 * 1024 * 1024;

/** Only sha256: nothing else is in use, and it names files. */
const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/, "must be sha256: and 64 hex digits");

export const descriptorSchema = z.object({
  mediaType: z.string().max(255),
  digest: digestSchema,
  size: z.int().nonnegative(),
});
export type Descriptor = z.infer<typeof descriptorSchema>;

export const indexSchema = z.object({
  schemaVersion: z.literal(2),
  manifests: z.array(descriptorSchema).max(64),
});

export const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().max(255).optional(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema).max(1024),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** Nobody has to run it: what makes no sense is none. */
const commandSchema = z.array(z.string().max(131_072)).max(4096).nullish().catch(null);

/** Docker and Go write null for what is empty; some builders leave out what is no choice to them, the platform above all. */
export const configSchema = z.object({
  architecture: orEmpty(64),
  os: orEmpty(64),
  variant: orEmpty(64),
  config: z
    .object({
      Env: z.array(z.string().max(131_072)).max(4096).nullish(),
      User: z.string().max(256).nullish(),
      WorkingDir: z.string().max(4096).nullish(),
      Entrypoint: commandSchema,
      Cmd: commandSchema,
    })
    .nullish(),
});
export type Config = z.infer<typeof configSchema>;

function orEmpty(maxLength: number) {
  return z
    .string()
    .max(maxLength)
    .nullish()
    .transform((text) => text ?? "");
}
