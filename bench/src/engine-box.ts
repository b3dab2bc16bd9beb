import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Engine, type EngineExec, silentLogger } from "@boxrun/core";
import { createQemuEngine, defaultCacheDir } from "@boxrun/engine-qemu";
import { createImageContent } from "@boxrun/images";

const id = "box_benchmark000";

/** A box of an engine without a server: what goes through a server is measured against it. */
export class EngineBox implements AsyncDisposable {
  readonly #dir: string;
  readonly #engine: Engine;

  private constructor(dir: string) {
    this.#dir = dir;
    this.#engine = createQemuEngine({ stateDir: dir, cacheDir: defaultCacheDir(), logger: silentLogger });
  }

  static async create({ memoryMb }: { readonly memoryMb: number }): Promise<EngineBox> {
    const box = new EngineBox(await mkdtemp(join(tmpdir(), "br-engine-")));
    try {
      await box.#create(memoryMb);
      return box;
    } catch (error) {
      await box[Symbol.asyncDispose]();
      throw error;
    }
  }

  async exec(execId: string, cmd: readonly string[]): Promise<EngineExec> {
    const rest = { env: {}, workdir: "/root", user: null, stdin: false, tty: null, timeoutMs: null };
    return await this.#engine.exec(id, { id: execId, cmd, ...rest });
  }

  async #create(memoryMb: number): Promise<void> {
    const dir = join(this.#dir, "images");
    const images = createImageContent({ dir, cacheDir: defaultCacheDir(), logger: silentLogger });
    const { digest } = await images.builtin();
    const image = { digest, layoutDir: images.layoutDir(digest) };
    const size = { cpu: 1, memoryMb, diskSizeGb: 1, network: false, volumes: [] };
    const signal = new AbortController().signal;
    await this.#engine.create(
      { id, hostname: "bench", workdir: "/root", image, ...size },
      { signal, onEngineId: () => undefined },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const boxId of await this.#engine.listBoxes()) await this.#engine.remove(boxId);
    await this.#engine.close();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
