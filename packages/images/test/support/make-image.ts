import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { pack } from "tar-stream";

const run = promisify(execFile);

interface TestImage {
  /** One layer for each: file names and contents. */
  readonly layers: readonly Readonly<Record<string, string>>[];
  /** `config` of the image's config document. */
  readonly config?: object;
  readonly architecture?: string;
  readonly layerMediaType?: string;
}

const json = "application/vnd.oci.image";
const hostArchitecture = process.arch === "x64" ? "amd64" : process.arch;

/** Writes an OCI layout with one image, uncompressed layers, by hand: the code under test has no part in it. Returns its digest. */
export async function makeImage(dir: string, image: TestImage, name = "image"): Promise<string> {
  const blobs = join(dir, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (mediaType: string, content: Buffer) => {
    const hex = createHash("sha256").update(content).digest("hex");
    await writeFile(join(blobs, hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const layers = [];
  for (const files of image.layers) {
    layers.push(await put(image.layerMediaType ?? `${json}.layer.v1.tar`, await tar(files)));
  }
  const config = await put(
    `${json}.config.v1+json`,
    Buffer.from(
      JSON.stringify({
        architecture: image.architecture ?? hostArchitecture,
        os: "linux",
        config: image.config ?? {},
        rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
      }),
    ),
  );
  const manifestType = `${json}.manifest.v1+json`;
  const manifest = await put(
    manifestType,
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers })),
  );
  const annotations = { "org.opencontainers.image.ref.name": name };
  await writeFile(join(dir, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(
    join(dir, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  return manifest.digest;
}

export async function tar(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name, mtime: new Date(0) }, content);
  archive.finalize();
  return buffer(Readable.from(archive));
}

/** A directory's content as a tar file. */
export async function tarOf(dir: string, file: string): Promise<string> {
  await run("tar", ["-C", dir, "-cf", file, "."]);
  return file;
}

export async function skopeo(...args: readonly string[]): Promise<void> {
  await run("skopeo", [...args]);
}
