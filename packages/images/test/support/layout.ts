import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const json = "application/vnd.oci.image";
export const types = {
  index: `${json}.index.v1+json`,
  manifest: `${json}.manifest.v1+json`,
  config: `${json}.config.v1+json`,
  layer: `${json}.layer.v1.tar`,
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
} as const;

export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [field: string]: unknown;
}

export const hostArchitecture = process.arch === "x64" ? "amd64" : process.arch;
const refName = "org.opencontainers.image.ref.name";

/** A blob with the platform that an index gives it. */
export function on(blob: Blob, architecture: string, more: object = {}, os = "linux"): Blob {
  return { ...blob, platform: { architecture, os, ...more } };
}

export function named(blob: Blob, name: string): Blob {
  return { ...blob, annotations: { [refName]: name } };
}

/** An OCI layout that is written blob by blob, so that it can hold whatever a test wants. */
export class TestLayout {
  readonly #dir: string;
  readonly #writes: Promise<void>[] = [];

  constructor(dir: string) {
    this.#dir = dir;
  }

  blob(mediaType: string, content: Buffer | object): Blob {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hex = createHash("sha256").update(bytes).digest("hex");
    this.#writes.push(this.#write(`blobs/sha256/${hex}`, bytes));
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  }

  /** An image; what is given replaces parts of its documents. */
  image(
    layers: readonly Blob[],
    options: { readonly config?: object; readonly configType?: string; readonly manifest?: object } = {},
  ): Blob {
    const { config = {}, configType = types.config, manifest = {} } = options;
    const document = {
      architecture: hostArchitecture,
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
      ...config,
    };
    const configBlob = this.blob(configType, document);
    const whole = { schemaVersion: 2, mediaType: types.manifest, config: configBlob, layers, ...manifest };
    return this.blob(whole.mediaType, whole);
  }

  index(manifests: readonly Blob[], mediaType: string = types.index): Blob {
    return this.blob(mediaType, { schemaVersion: 2, mediaType, manifests });
  }

  async finish(manifests: readonly Blob[]): Promise<void> {
    await this.#write("oci-layout", Buffer.from(JSON.stringify({ imageLayoutVersion: "1.0.0" })));
    await this.#write("index.json", Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
    await Promise.all(this.#writes);
  }

  async #write(name: string, content: Buffer): Promise<void> {
    await mkdir(join(this.#dir, "blobs/sha256"), { recursive: true });
    await writeFile(join(this.#dir, name), content);
  }
}
