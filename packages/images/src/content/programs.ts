import { createReadStream } from "node:fs";
import { posix } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import type { LayoutImage } from "../oci/read-layout.ts";
import { blobFile } from "../oci/write-layout.ts";
import { toImageConfig } from "./image-config.ts";

/**
 * The names of the programs in the directories of an image's PATH, sorted. Only for an image of one layer that is packed with gzip, as the
 * base image is: what several make together only a merge of them tells.
 */
export async function programsOf(layoutDir: string, image: LayoutImage): Promise<readonly string[]> {
  const [layer, ...others] = image.manifest.layers;
  if (layer === undefined || others.length > 0) throw new Error("it has not exactly one layer");
  const { env } = toImageConfig(image.config);
  const directories = new Set((env.PATH ?? "").split(":"));
  const programs = new Set<string>();
  const tar = extract();
  const unpacked = pipeline(createReadStream(blobFile(layoutDir, layer.digest)), createGunzip(), tar);
  const read = (async () => {
    for await (const entry of tar) {
      const { name, type, mode } = entry.header;
      const isProgram = type === "symlink" || type === "link" || (type === "file" && ((mode ?? 0) & 0o111) !== 0);
      const path = posix.join("/", name);
      if (isProgram && directories.has(posix.dirname(path))) programs.add(posix.basename(path));
      entry.resume();
    }
  })();
  await Promise.all([unpacked, read]);
  return [...programs].sort();
}
