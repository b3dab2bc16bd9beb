import type { Readable } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import type {
  ImageContent,
  ImageDescription,
  ImportedImage,
  Logger,
  MakeImageOptions,
  PullOptions,
  StoredImage,
} from "@boxrun/core";
import { importArchive } from "../archive/import.ts";
import { locateBase } from "../base/cache.ts";
import { readLayout } from "../oci/read-layout.ts";
import { pullImage } from "../registry/pull.ts";
import { parseReference } from "../registry/reference.ts";
import { LayoutStore } from "./layout-store.ts";
import { makeImage } from "./make-image.ts";

export interface ImageContentOptions {
  /** Where images lie; made if missing. One server at a time. */
  readonly dir: string;
  /** Where set-up puts the base image. */
  readonly cacheDir: string;
  readonly logger: Logger;
  /** A pull that gets no byte for this long is given up. Default: a minute. */
  readonly pullIdleTimeoutMs?: number | undefined;
}

const defaultPullIdleTimeoutMs = 60_000;

/** The images on this host's disk, pulled and unpacked with skopeo. What a killed server left behind is removed in the background. */
export function createImageContent(options: ImageContentOptions): ImageContent {
  return new SkopeoImageContent(options);
}

class SkopeoImageContent implements ImageContent {
  readonly #store: LayoutStore;
  readonly #cacheDir: string;
  readonly #idleTimeoutMs: number;
  /** Of the few images that are asked for theirs: what a digest stands for never changes, and a layer is unpacked to look. */
  readonly #programs = new Map<string, Promise<readonly string[]>>();

  constructor({ dir, cacheDir, logger, pullIdleTimeoutMs = defaultPullIdleTimeoutMs }: ImageContentOptions) {
    this.#store = new LayoutStore(dir);
    this.#cacheDir = cacheDir;
    this.#idleTimeoutMs = pullIdleTimeoutMs;
    this.#store.scratch.sweep().catch((error: unknown) => {
      logger.warn({ error: String(error), dir }, "could not remove what an earlier server left of its pulls");
    });
  }

  async builtin(): Promise<StoredImage> {
    const layoutDir = locateBase(this.#cacheDir);
    try {
      const { descriptor } = await readLayout(layoutDir);
      // In the store like any other image: boxes made of it must start even after another base image was built.
      const stored = await this.#store.read(descriptor.digest).catch(() => undefined);
      return stored ?? (await this.#store.add(layoutDir, new AbortController().signal));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new BoxRunError(
        "RUNTIME_ERROR",
        `read the base image in ${layoutDir}: ${reason}; remove that directory and run \`npm run setup\`, or install boxrun anew`,
        { cause: error },
      );
    }
  }

  requireReference(reference: string): void {
    parseReference(reference);
  }

  async pull(reference: string, options: PullOptions): Promise<StoredImage> {
    return pullImage(this.#store, reference, { ...options, idleTimeoutMs: this.#idleTimeoutMs });
  }

  async importArchive(tar: Readable, options: { readonly signal: AbortSignal }): Promise<readonly ImportedImage[]> {
    return importArchive(this.#store, tar, options);
  }

  async make(tar: AsyncIterable<unknown>, options: MakeImageOptions): Promise<StoredImage> {
    return await makeImage(this.#store, tar, options);
  }

  async ownCommand(digest: string): Promise<readonly string[] | undefined> {
    return await reading(`the command of the image ${digest}`, () => this.#store.ownCommand(digest));
  }

  async describe(digest: string): Promise<ImageDescription> {
    return await reading(`the image ${digest}`, () => this.#store.describe(digest));
  }

  async programs(digest: string): Promise<readonly string[]> {
    const known = this.#programs.get(digest);
    if (known !== undefined) return await known;
    const found = reading(`the programs of the image ${digest}`, () => this.#store.programs(digest));
    this.#programs.set(digest, found);
    found.catch(() => this.#programs.delete(digest));
    return await found;
  }

  layoutDir(digest: string): string {
    return this.#store.layoutDir(digest);
  }

  async remove(digest: string, { keep }: { readonly keep: readonly string[] }): Promise<void> {
    await this.#store.remove(digest, keep);
  }
}

async function reading<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BoxRunError("RUNTIME_ERROR", `read ${what}: ${reason}`, { cause: error });
  }
}
