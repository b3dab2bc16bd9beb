import { type CreateBoxRequest, type PoolInfo, resolveImageAlias } from "@boxrun/contract";

/** A size of box, and how many of it are kept ready. */
export interface PoolSize {
  /** A reference, or an alias. */
  readonly image: string;
  readonly cpu: number;
  readonly memoryMb: number;
  readonly diskSizeGb: number;
  readonly network: boolean;
  readonly count: number;
}

/** Between two attempts to prepare a box: the first wait, and the longest. */
const firstWaitMs = 1_000;
const longestWaitMs = 60_000;

/** The boxes of one size that are ready, and what keeps them from being so many as they should. */
export class Shelf {
  readonly size: PoolSize;
  /** By id, the digest of its image; the oldest first. */
  readonly ready = new Map<string, string>();
  #trouble: { readonly why: string; readonly isRoom: boolean } | undefined;
  #failures = 0;
  #notBeforeMs = 0;

  constructor(size: PoolSize) {
    this.size = { ...size, image: resolveImageAlias(size.image) };
  }

  get isFull(): boolean {
    return this.ready.size >= this.size.count;
  }

  /** When the next one may be tried. */
  get notBeforeMs(): number {
    return this.#notBeforeMs;
  }

  /** Whether it is a box of this size that was asked for. */
  has(request: CreateBoxRequest): boolean {
    const { image, cpu, memoryMb, diskSizeGb, network } = this.size;
    return (
      resolveImageAlias(request.image) === image &&
      request.cpu === cpu &&
      request.memory_mb === memoryMb &&
      request.disk_size_gb === diskSizeGb &&
      request.network === network &&
      (request.volumes ?? []).length === 0
    );
  }

  put(id: string, digest: string): void {
    this.ready.set(id, digest);
    this.#failures = 0;
    this.#trouble = undefined;
  }

  /** One could not be prepared. Whether that is news. */
  failed(why: string, nowMs: number, { isRoom }: { readonly isRoom: boolean }): boolean {
    this.#notBeforeMs = nowMs + Math.min(firstWaitMs * 2 ** this.#failures, longestWaitMs);
    this.#failures += 1;
    const isNews = this.#trouble?.why !== why;
    this.#trouble = { why, isRoom };
    return isNews;
  }

  /** There is more room than there was. */
  roomCame(): void {
    if (this.#trouble?.isRoom !== true) return;
    this.#failures = 0;
    this.#notBeforeMs = 0;
  }

  get info(): PoolInfo {
    const { image, cpu, memoryMb, diskSizeGb, network, count } = this.size;
    return {
      ...{ image, cpu, memory_mb: memoryMb, disk_size_gb: diskSizeGb, network, wanted: count, ready: this.ready.size },
      ...(this.#trouble === undefined || this.isFull ? {} : { trouble: this.#trouble.why }),
    };
  }
}
