import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PullProgress } from "@boxrun/contract";
import { blobDir } from "../oci/write-layout.ts";

const pollMs = 200;

/**
 * Watches skopeo fill a layout. skopeo writes a layer to a file `oci-put-blob…` in the layout and renames it to its digest when it is
 * complete, so: a blob that is new is a layer that is done; the bytes of all files are how far the pull is.
 */
export class PullWatch implements Disposable {
  readonly #layoutDir: string;
  readonly #onProgress: (progress: PullProgress) => void;
  readonly #onIdle: () => void;
  readonly #idleTimeoutMs: number;
  readonly #timer: NodeJS.Timeout;
  /** Blobs that were there from the start, and those that were reported. */
  readonly #known = new Set<string>();
  #bytes = 0;
  #finishedBytes = 0;
  #lastChange = performance.now();
  #looking = false;

  private constructor(layoutDir: string, known: readonly string[], options: PullWatchOptions) {
    this.#layoutDir = layoutDir;
    for (const name of known) this.#known.add(name);
    this.#onProgress = options.onProgress;
    this.#onIdle = options.onIdle;
    this.#idleTimeoutMs = options.idleTimeoutMs;
    this.#timer = setInterval(() => void this.#look(), pollMs);
  }

  static async start(layoutDir: string, options: PullWatchOptions): Promise<PullWatch> {
    return new PullWatch(layoutDir, await readdir(blobDir(layoutDir)), options);
  }

  /** A line that skopeo printed: a sign of life, and for layers that it starts with, worth telling. */
  line(line: string): void {
    this.#lastChange = performance.now();
    const layer = /^Copying blob (sha256:[0-9a-f]{64})/.exec(line)?.[1];
    if (layer !== undefined) this.#onProgress({ message: "pulling a layer", layer });
  }

  /** Reports what came since the last look. */
  async finish(): Promise<void> {
    clearInterval(this.#timer);
    await this.#countFinished();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const bytes = (await this.#countUnfinished()) + (await this.#countFinished());
      if (bytes !== this.#bytes) {
        this.#bytes = bytes;
        this.#lastChange = performance.now();
        this.#onProgress({ message: "pulling", done_bytes: bytes });
      } else if (performance.now() - this.#lastChange >= this.#idleTimeoutMs) {
        clearInterval(this.#timer);
        this.#onIdle();
      }
    } finally {
      this.#looking = false;
    }
  }

  async #countUnfinished(): Promise<number> {
    const names = await readdir(this.#layoutDir).catch(() => []);
    const sizes = names
      .filter((name) => name.startsWith("oci-put-blob"))
      .map((name) => sizeOf(join(this.#layoutDir, name)));
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  }

  async #countFinished(): Promise<number> {
    for (const name of await readdir(blobDir(this.#layoutDir)).catch(() => [])) {
      if (this.#known.has(name)) continue;
      this.#known.add(name);
      const size = await sizeOf(join(blobDir(this.#layoutDir), name));
      this.#finishedBytes += size;
      this.#onProgress({ message: "pulled", layer: `sha256:${name}`, done_bytes: size, total_bytes: size });
    }
    return this.#finishedBytes;
  }
}

export interface PullWatchOptions {
  readonly idleTimeoutMs: number;
  readonly onProgress: (progress: PullProgress) => void;
  /** Called once, when nothing has happened for that long. */
  readonly onIdle: () => void;
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}
