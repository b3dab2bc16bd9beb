import { BoxRunError } from "@boxrun/contract";
import type {
  ImageConfig,
  ImageContent,
  ImageDescription,
  ImportedImage,
  MakeImageOptions,
  PullOptions,
  StoredImage,
} from "../../src/index.ts";

/** Images that are nothing but a name: the core's tests are about which is asked for, and how often. */
export class MemoryImages implements ImageContent {
  readonly pulls: string[] = [];
  readonly removed: string[] = [];
  config: ImageConfig = { env: {}, user: null, workdir: null };
  /** Hex digits; another one is another image under the same reference. */
  generation = "a";
  /** Pulls wait for this. */
  gate: Promise<void> = Promise.resolve();

  async builtin(): Promise<StoredImage> {
    return this.#image("base");
  }

  requireReference(): void {}

  /** What every image runs by itself. */
  command: readonly string[] | undefined;

  async ownCommand(): Promise<readonly string[] | undefined> {
    return this.command;
  }

  async describe(): Promise<ImageDescription> {
    return { platform: "linux/amd64", entrypoint: null, cmd: this.command ?? null };
  }

  async programs(): Promise<readonly string[]> {
    return ["sh"];
  }

  async pull(reference: string, { signal, onProgress }: PullOptions): Promise<StoredImage> {
    this.pulls.push(reference);
    onProgress({ message: `pulling ${reference}` });
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    await Promise.race([this.gate, aborted]);
    if (reference.startsWith("missing")) throw new BoxRunError("IMAGE_PULL_FAILED", `${reference}: manifest unknown`);
    return this.#image(reference);
  }

  async importArchive(): Promise<readonly ImportedImage[]> {
    return [{ ...this.#image("imported"), references: ["imported:1"] }];
  }

  readonly made: { readonly bytes: number; readonly options: MakeImageOptions }[] = [];

  async make(tar: AsyncIterable<unknown>, options: MakeImageOptions): Promise<StoredImage> {
    let bytes = 0;
    for await (const chunk of tar) bytes += Buffer.isBuffer(chunk) ? chunk.length : 0;
    this.made.push({ bytes, options });
    return this.#image(`made${this.made.length}`);
  }

  layoutDir(digest: string): string {
    return `/layouts/${digest}`;
  }

  async remove(digest: string): Promise<void> {
    this.removed.push(digest);
  }

  #image(reference: string): StoredImage {
    return {
      digest: `sha256:${Buffer.from(reference).toString("hex").padEnd(63, "0")}${this.generation}`,
      sizeBytes: 1,
      config: this.config,
    };
  }
}
