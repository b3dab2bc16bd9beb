import { BoxRunError, type FileChange } from "@boxrun/contract";
import type { WatchOptions } from "@boxrun/core";

/** One reader of a box's changes. */
class MemoryWatch {
  readonly #waiting: FileChange[] = [];
  #wake: () => void = () => undefined;
  #failure: unknown;

  push(change: FileChange): void {
    this.#waiting.push(change);
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake();
  }

  async *read(path: string, done: () => void): AsyncGenerator<readonly FileChange[], void> {
    try {
      for (;;) {
        const batch = this.#waiting.splice(0);
        if (batch.length > 0) yield batch;
        if (batch.some((change) => change.event === "removed" && change.path === path)) return;
        if (this.#waiting.length > 0) continue;
        if (this.#failure !== undefined) throw this.#failure;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      done();
    }
  }
}

/** Who watches files of a box, and what each of them is told. */
export class MemoryWatches {
  readonly #watches = new Map<MemoryWatch, (path: string) => boolean>();

  open(path: string, { recursive, signal }: WatchOptions): AsyncGenerator<readonly FileChange[], void> {
    const below = path === "/" ? "/" : `${path}/`;
    const concerns = (changed: string) =>
      changed === path || (changed.startsWith(below) && (recursive || !changed.slice(below.length).includes("/")));
    const watch = new MemoryWatch();
    this.#watches.set(watch, concerns);
    const giveUp = () => watch.fail(new BoxRunError("CANCELED", `watch ${path}: it was given up`));
    signal.addEventListener("abort", giveUp);
    return watch.read(path, () => {
      this.#watches.delete(watch);
      signal.removeEventListener("abort", giveUp);
    });
  }

  tell(event: "created" | "changed" | "removed", path: string, is_dir: boolean): void {
    for (const [watch, concerns] of this.#watches) if (concerns(path)) watch.push({ event, path, is_dir });
  }

  tellRenamed(from: string, path: string, is_dir: boolean): void {
    for (const [watch, concerns] of this.#watches) {
      if (concerns(from) && concerns(path)) watch.push({ event: "renamed", path, from, is_dir });
      else if (concerns(from)) watch.push({ event: "removed", path: from, is_dir });
      else if (concerns(path)) watch.push({ event: "created", path, is_dir });
    }
  }

  close(reason: string): void {
    for (const watch of this.#watches.keys()) watch.fail(new BoxRunError("RUNTIME_ERROR", reason));
  }
}
