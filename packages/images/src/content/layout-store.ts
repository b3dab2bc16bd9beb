import { copyFile, link, mkdir, open, readdir, rename, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { ImageDescription, StoredImage } from "@boxrun/core";
import { isErrno } from "@boxrun/host";
import { DamagedBlobError, isImageConfig, type LayoutImage, readLayout, verifyLayers } from "../oci/read-layout.ts";
import { blobDir, blobFile, writeLayoutFiles } from "../oci/write-layout.ts";
import { OtherPlatformError, ownCommand, platformProblem, toDescription, toImageConfig } from "./image-config.ts";
import { programsOf } from "./programs.ts";
import { ScratchDirs } from "./scratch.ts";

/** An image of a layout, found to be whole. */
export interface CheckedImage extends LayoutImage {
  readonly layoutDir: string;
}

/**
 * Images on disk:
 *
 *   <dir>/blobs/sha256/<hex>      every blob once
 *   <dir>/layouts/<hex>/          one complete OCI image layout for each image, by its manifest's digest; blobs are hard links
 *   <dir>/scratch/…               work in progress
 *
 * A layout appears by one rename, complete, and never changes. Since it holds links of its own, a blob that goes from `blobs`
 * never takes anything away from a layout that is still there.
 */
export class LayoutStore {
  readonly scratch: ScratchDirs;
  readonly #dir: string;
  /** Adding and removing take turns: what one counts as unused the other may be about to use. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(dir: string) {
    this.#dir = dir;
    this.scratch = new ScratchDirs(join(dir, "scratch"));
  }

  layoutDir(digest: string): string {
    return join(this.#dir, "layouts", digest.slice("sha256:".length));
  }

  /** The image of a layout that is stored. */
  async read(digest: string): Promise<StoredImage> {
    return toStoredImage(await readLayout(this.layoutDir(digest)));
  }

  /** What an image that is stored runs by itself; `undefined` if nothing. */
  async ownCommand(digest: string): Promise<readonly string[] | undefined> {
    return ownCommand((await readLayout(this.layoutDir(digest))).config);
  }

  /** What an image that is stored says of itself. */
  async describe(digest: string): Promise<ImageDescription> {
    return toDescription((await readLayout(this.layoutDir(digest))).config);
  }

  /** The programs of a stored image of one layer. */
  async programs(digest: string): Promise<readonly string[]> {
    const layoutDir = this.layoutDir(digest);
    return await programsOf(layoutDir, await readLayout(layoutDir));
  }

  /** Puts every blob that is here into a layout that is being made, so that nothing is fetched twice. */
  async seed(layoutDir: string): Promise<void> {
    await mkdir(blobDir(layoutDir), { recursive: true });
    for (const name of await readdir(blobDir(this.#dir)).catch(() => [])) {
      await share(join(blobDir(this.#dir), name), join(blobDir(layoutDir), name));
    }
  }

  /** Takes in the one image of a finished layout, which stays as it is: `check`, then `publish`. */
  async add(layoutDir: string, signal: AbortSignal): Promise<StoredImage> {
    const [image] = await this.publish([await this.check(layoutDir, signal)]);
    if (image === undefined) throw new Error("nothing was published");
    return image;
  }

  /**
   * Checks everything that the one image of a layout is made of. Throws an Error that says what is wrong with the image, OtherPlatformError if
   * nothing is. A damaged blob is dropped from the store too, if it came from there.
   */
  async check(layoutDir: string, signal: AbortSignal): Promise<CheckedImage> {
    try {
      const image = await readLayout(layoutDir);
      const problem = kindProblem(image);
      if (problem !== undefined) throw new Error(problem);
      const platform = platformProblem(image.config);
      if (platform !== undefined) throw new OtherPlatformError(platform);
      await verifyLayers(layoutDir, image.manifest, signal);
      return { ...image, layoutDir };
    } catch (error) {
      if (error instanceof DamagedBlobError) await rm(blobFile(this.#dir, error.digest), { force: true });
      throw error;
    }
  }

  /** Makes checked images visible: all of them, or none. */
  async publish(images: readonly CheckedImage[]): Promise<readonly StoredImage[]> {
    return await this.#inTurn(async () => {
      const made: string[] = [];
      try {
        for (const image of images) if (await this.#publish(image)) made.push(image.descriptor.digest);
      } catch (error) {
        const others = (await this.#stored()).filter((digest) => !made.includes(digest));
        for (const digest of made) await this.#remove(digest, others).catch(() => undefined);
        throw error;
      }
      return images.map(toStoredImage);
    });
  }

  /** Removes an image, and from `blobs` what none of `keep` is made of. An unknown image is a success. */
  async remove(digest: string, keep: readonly string[]): Promise<void> {
    await this.#inTurn(() => this.#remove(digest, keep));
  }

  async #remove(digest: string, keep: readonly string[]): Promise<void> {
    const layoutDir = this.layoutDir(digest);
    const blobs = await readdir(blobDir(layoutDir)).catch(() => []);
    await rm(layoutDir, { recursive: true, force: true });
    const kept = new Set<string>();
    for (const other of keep) {
      if (other === digest) continue;
      for (const name of await readdir(blobDir(this.layoutDir(other))).catch(() => [])) kept.add(name);
    }
    for (const name of blobs) {
      if (!kept.has(name)) await rm(join(blobDir(this.#dir), name), { force: true });
    }
  }

  async #stored(): Promise<readonly string[]> {
    const names = await readdir(join(this.#dir, "layouts")).catch(() => []);
    return names.map((hex) => `sha256:${hex}`);
  }

  /** False if the image was here already. */
  async #publish({ layoutDir: from, descriptor, manifest }: CheckedImage): Promise<boolean> {
    const target = this.layoutDir(descriptor.digest);
    await using scratch = await this.scratch.make();
    await mkdir(blobDir(this.#dir), { recursive: true });
    await mkdir(join(this.#dir, "layouts"), { recursive: true });
    const layout = join(scratch.path, "layout");
    await mkdir(blobDir(layout), { recursive: true });
    for (const digest of new Set([descriptor, manifest.config, ...manifest.layers].map((each) => each.digest))) {
      await share(blobFile(from, digest), blobFile(this.#dir, digest));
      await share(blobFile(this.#dir, digest), blobFile(layout, digest));
    }
    await writeLayoutFiles(layout, descriptor);
    // On the disk before its name is: what was answered for survives a power cut.
    await syncTree(layout);
    try {
      await rename(layout, target);
      await sync(join(this.#dir, "layouts"));
      return true;
    } catch (error) {
      // It is the same: its name is its content's digest.
      if (!isErrno(error, "ENOTEMPTY") && !isErrno(error, "EEXIST")) throw error;
      return false;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

async function syncTree(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    await (entry.isDirectory() ? syncTree(path) : sync(path));
  }
  await sync(dir);
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes `to` the same file as `from`; a copy where the two lie on different file systems. An existing `to` stays. */
async function share(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (isErrno(error, "EEXIST")) return;
    if (!isErrno(error, "EXDEV") && !isErrno(error, "EPERM") && !isErrno(error, "EMLINK")) throw error;
    const scratch = `${to}.${process.pid}.tmp`;
    try {
      await copyFile(from, scratch);
      await rename(scratch, to);
    } catch (failure) {
      await unlink(scratch).catch(() => undefined);
      throw failure;
    }
  }
}

/** Registries hold charts, signatures and much else under the same kind of manifest. */
function kindProblem({ manifest }: LayoutImage): string | undefined {
  if (!isImageConfig(manifest.config))
    return `it is not a container image: its config has the media type ${JSON.stringify(manifest.config.mediaType)}`;
  const layer = manifest.layers.find(
    (each) => !/^application\/vnd\.(oci|docker)\.image\.(layer|rootfs)\./.test(each.mediaType),
  );
  if (layer === undefined) return undefined;
  return `it is not a container image: a layer has the media type ${JSON.stringify(layer.mediaType)}`;
}

function toStoredImage({ descriptor, manifest, config }: LayoutImage): StoredImage {
  const sizeBytes = manifest.layers.reduce((sum, layer) => sum + layer.size, 0);
  return { digest: descriptor.digest, sizeBytes, config: toImageConfig(config) };
}
