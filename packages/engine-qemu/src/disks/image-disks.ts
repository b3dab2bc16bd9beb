import { existsSync } from "node:fs";
import { link, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { type EngineImage, SharedTasks } from "@boxrun/core";
import { isErrno } from "@boxrun/host";
import { flattenImage } from "../flatten/flatten.ts";
import { squashfsLayout } from "./squashfs-layout.ts";

/**
 * Images flattened to read-only squashfs files, `<stateDir>/disks/<digest>.squashfs`, made once and shared by all boxes. A box holds
 * its image by a hard link in its own directory: forgetting the image takes the shared name away and nothing from any box.
 */
export class ImageDisks {
  readonly #dir: string;
  readonly #flattening = new SharedTasks<void>();
  /** By digest. */
  readonly #layouts = new Map<string, Promise<string>>();
  #scratch = 0;

  constructor(stateDir: string) {
    this.#dir = join(stateDir, "disks");
  }

  /** Links the image's disk to `file`, flattening it first if need be. RUNTIME_ERROR if there is no room; nothing is left then. */
  async linkTo(file: string, image: EngineImage, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        await link(this.#path(image.digest), file);
        return;
      } catch (error) {
        if (!isErrno(error, "ENOENT")) throw error;
      }
      await this.make(image, signal);
    }
    throw new BoxRunError("RUNTIME_ERROR", `take the image ${image.digest}: it is removed as fast as it is made`);
  }

  /** Flattens the image, unless it is. */
  async make(image: EngineImage, signal: AbortSignal): Promise<void> {
    if (existsSync(this.#path(image.digest))) return;
    await this.#flattening.join(image.digest, { signal }, (shared) => this.#flatten(image, shared));
  }

  /** The shared file, and what stands for its layout. It has been made, and may be gone meanwhile. */
  async describe({ digest }: EngineImage): Promise<{ readonly file: string; readonly layout: string }> {
    const file = this.#path(digest);
    let layout = this.#layouts.get(digest);
    if (layout === undefined) {
      layout = squashfsLayout(file).then((tables) => `${digest} ${tables}`);
      this.#layouts.set(digest, layout);
      layout.catch(() => this.#layouts.delete(digest));
    }
    return { file, layout: await layout };
  }

  async forget(digest: string): Promise<void> {
    this.#layouts.delete(digest);
    await rm(this.#path(digest), { force: true });
  }

  async #flatten(image: EngineImage, signal: AbortSignal): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const path = this.#path(image.digest);
    const scratch = `${path}.${process.pid}-${this.#scratch++}`;
    try {
      await flattenImage({ layoutDir: image.layoutDir, outFile: scratch, signal });
      await rename(scratch, path);
    } finally {
      await rm(scratch, { force: true });
    }
  }

  #path(digest: string): string {
    const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
    if (hex === undefined) throw new BoxRunError("VALIDATION_ERROR", `the image digest ${digest} is no sha256`);
    return join(this.#dir, `${hex}.squashfs`);
  }
}
