import { z } from "zod";
import { hostArchitecture } from "../oci/platform.ts";
import { parse } from "../oci/read-layout.ts";
import { type Descriptor, manifestSchema } from "../oci/schemas.ts";
import { type SkopeoRun, skopeoInspect } from "../skopeo/run.ts";

/** A manifest of one image, or a list of them by platform. */
const listSchema = z.object({
  manifests: z
    .array(
      z.object({
        digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
        platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
      }),
    )
    .max(1024),
});

/**
 * The layers that an image has in its registry, each once. `name` is the image's without tag and digest, `options` those of
 * `skopeo inspect`. Throws what skopeo says.
 */
export async function inspectLayers(
  source: { readonly image: string; readonly name: string; readonly options: readonly string[] },
  run: SkopeoRun,
): Promise<readonly Descriptor[]> {
  const ask = (image: string) => skopeoInspect([...source.options, "--raw", `docker://${image}`], run);
  let document = await ask(source.image);
  const list = listSchema.safeParse(JSON.parse(document.toString("utf8")));
  if (list.success) {
    const own = list.data.manifests.find(
      ({ platform }) => platform?.os === "linux" && platform.architecture === hostArchitecture,
    );
    if (own === undefined) return [];
    document = await ask(`${source.name}@${own.digest}`);
  }
  const { layers } = parse(manifestSchema, document, "the manifest");
  return [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
}
