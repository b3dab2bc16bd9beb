import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PullProgress } from "@boxrun/contract";
import { blobDir } from "../oci/write-layout.ts";
import { type GrowingFile, matchFiles } from "./match-files.ts";

const pollMs = 200;
/** A pull that is done sooner doesn't ask the registry for sizes: that costs a request or two. */
const patienceMs = 600;

interface LayerSize {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

export interface PullWatchOptions {
  readonly idleTimeoutMs: number;
  readonly onProgress: (progress: PullProgress) => void;
  /** Called once, when nothing has happened for that long. */
  readonly onIdle: () => void;
  /** Asks the registry for the image's layers. Called once at most; a failure is none of the pull's. */
  readonly inspect: () => Promise<readonly LayerSize[]>;
}

/**
 * Watches skopeo fill a layout. skopeo says which layers it begins with. It writes each to a file `oci-put-blob…` in the layout and renames
 * that to its digest when it is complete, so: a blob that is new is a layer that is done, and the bytes of all files are how far the pull
 * is. Which unfinished file is which layer follows from the sizes that the manifest says, where it does (`matchFiles`); of other layers
 * only that they are being pulled is told.
 */
export class PullWatch implements Disposable {
  readonly #layoutDir: string;
  readonly #options: PullWatchOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #startMs = performance.now();
  /** Blobs that were there before, by digest. */
  readonly #before: ReadonlySet<string>;
  /** Bytes of blobs that have come, by digest: layers and the few small ones that are none. */
  readonly #come = new Map<string, number>();
  /** Layers that skopeo has spoken of. */
  readonly #begun = new Set<string>();
  /** By digest; `undefined` until the registry has answered. */
  #sizes: ReadonlyMap<string, number> | undefined;
  #asked = false;
  /** Digests of unfinished files, by name; and those files that the look before saw too, when skopeo had named their layers. */
  #matched = new Map<string, string>();
  #seen: ReadonlySet<string> = new Set();
  /** What was told last, by layer; "" is the whole. */
  readonly #told = new Map<string, string>();
  #bytes = 0;
  #lastChange = performance.now();
  #looking: Promise<void> | undefined;

  private constructor(layoutDir: string, before: readonly string[], options: PullWatchOptions) {
    this.#layoutDir = layoutDir;
    this.#before = new Set(before.map(digestOf));
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    }, pollMs);
  }

  static async start(layoutDir: string, options: PullWatchOptions): Promise<PullWatch> {
    return new PullWatch(layoutDir, await readdir(blobDir(layoutDir)), options);
  }

  /** A line that skopeo printed: a sign of life, and for layers that it begins with, worth telling. */
  line(line: string): void {
    this.#lastChange = performance.now();
    const layer = /^Copying blob (sha256:[0-9a-f]{64})/.exec(line)?.[1];
    if (layer === undefined) return;
    this.#begun.add(layer);
    this.#tellLayer(layer, undefined);
  }

  /** Tells what came since the last look. */
  async finish(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await this.#look();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const unfinished = await this.#unfinished();
    // One that was renamed meanwhile counts as finished.
    const inodes = await this.#findFinished();
    const files = unfinished.filter(({ inode }) => !inodes.has(inode));
    const layers = new Set([...(this.#sizes?.keys() ?? []), ...this.#begun]);
    const open = [...layers].filter((digest) => !this.#isHere(digest));
    this.#match(files, open);
    const come = [...layers].reduce((sum, digest) => sum + (this.#come.get(digest) ?? 0), 0);
    const bytes = come + files.reduce((sum, file) => sum + file.sizeBytes, 0);
    for (const digest of layers) {
      const file = files.find(({ name }) => this.#matched.get(name) === digest);
      this.#tellLayer(digest, file?.sizeBytes);
    }
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#lastChange = performance.now();
    } else if (performance.now() - this.#lastChange >= this.#options.idleTimeoutMs) {
      clearInterval(this.#timer);
      this.#options.onIdle();
    }
    const total = this.#totalBytes();
    if (bytes > 0 || total !== undefined) this.#tell({ message: "pulling", done_bytes: bytes, ...optional(total) });
    if (open.length > 0 && performance.now() - this.#startMs >= patienceMs) this.#askSizes();
  }

  #match(files: readonly GrowingFile[], open: readonly string[]): void {
    const sizes = this.#sizes;
    if (sizes === undefined) return;
    const candidates = open.flatMap((digest) => {
      const sizeBytes = sizes.get(digest);
      return sizeBytes === undefined || !this.#begun.has(digest) ? [] : [{ digest, sizeBytes }];
    });
    const old = files.filter(({ name }) => this.#seen.has(name));
    this.#matched = matchFiles(old, candidates, this.#matched);
    this.#seen = new Set(files.map(({ name }) => name));
  }

  #askSizes(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#options.inspect().then(
      (layers) => {
        this.#sizes = new Map(layers.map(({ digest, size }) => [digest, size]));
      },
      () => undefined,
    );
  }

  #isHere(digest: string): boolean {
    return this.#before.has(digest) || this.#come.has(digest);
  }

  /** `undefined` unless all layers are known. */
  #totalBytes(): number | undefined {
    if (this.#sizes === undefined || this.#sizes.size === 0) return undefined;
    return [...this.#sizes].reduce((sum, [digest, size]) => sum + (this.#before.has(digest) ? 0 : size), 0);
  }

  #tellLayer(layer: string, doneBytes: number | undefined): void {
    const size = this.#sizes?.get(layer);
    const come = this.#come.get(layer);
    if (come !== undefined) this.#tell({ message: "pulled", layer, done_bytes: come, total_bytes: come });
    else if (this.#before.has(layer)) {
      this.#tell({
        message: "already here",
        layer,
        ...(size === undefined ? {} : { done_bytes: size, total_bytes: size }),
      });
    } else {
      const message = this.#begun.has(layer) ? "pulling" : "waiting";
      this.#tell({ message, layer, ...(doneBytes === undefined ? {} : { done_bytes: doneBytes }), ...optional(size) });
    }
  }

  #tell(progress: PullProgress): void {
    const text = JSON.stringify(progress);
    if (this.#told.get(progress.layer ?? "") === text) return;
    this.#told.set(progress.layer ?? "", text);
    this.#options.onProgress(progress);
  }

  async #unfinished(): Promise<(GrowingFile & { readonly inode: number })[]> {
    const names = await readdir(this.#layoutDir).catch(() => []);
    const files = names
      .filter((name) => name.startsWith("oci-put-blob"))
      .map(async (name) => ({ name, ...(await look(join(this.#layoutDir, name))) }));
    return await Promise.all(files);
  }

  /** The inodes of those that have come since the last look. */
  async #findFinished(): Promise<Set<number>> {
    const inodes = new Set<number>();
    for (const name of await readdir(blobDir(this.#layoutDir)).catch(() => [])) {
      const digest = digestOf(name);
      if (this.#isHere(digest)) continue;
      const { sizeBytes, inode } = await look(join(blobDir(this.#layoutDir), name));
      this.#come.set(digest, sizeBytes);
      inodes.add(inode);
    }
    return inodes;
  }
}

function digestOf(blobName: string): string {
  return `sha256:${blobName}`;
}

function optional(totalBytes: number | undefined): { readonly total_bytes?: number } {
  return totalBytes === undefined ? {} : { total_bytes: totalBytes };
}

async function look(file: string): Promise<{ readonly sizeBytes: number; readonly inode: number }> {
  return stat(file).then(
    ({ size, ino }) => ({ sizeBytes: size, inode: ino }),
    () => ({ sizeBytes: 0, inode: -1 }),
  );
}
