import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type CreateBoxInput, infoSchema, urls } from "@boxrun/contract";
import { defaultCacheDir } from "@boxrun/engine-qemu";
import type { TestServer } from "../../test/e2e/support/server.ts";

/** What the boxes of a benchmark have in common. */
export type BoxSize = Pick<CreateBoxInput, "cpu" | "memory_mb" | "volumes">;

/** In ms from the request. */
export interface Created {
  readonly running: number;
  readonly firstByte: number;
}

const limitMs = 120_000;

/** Creates a box, has it say a word, and removes it. */
export async function create(server: TestServer, size: BoxSize): Promise<Created> {
  const begun = performance.now();
  const box = await server.http.createBox(size);
  const running = performance.now() - begun;
  let firstByte = Number.NaN;
  for await (const { event } of server.http.follow(box.id, ["echo", "hello"])) {
    if (event === "log" && Number.isNaN(firstByte)) firstByte = performance.now() - begun;
  }
  await server.http.json("DELETE", urls.removeBox(box.id, true));
  return { running, firstByte };
}

/** The first box of a shape boots, and has the bare template made behind it; the second has the one made in which a box is ready, and the third takes that into memory. */
export async function makeTemplates(server: TestServer, size: BoxSize): Promise<void> {
  for (const word of ["boxes of this shape start", "new boxes of this shape and image start"]) {
    const count = () => server.log.split(word).length;
    const before = count();
    await create(server, size);
    for (let waited = 0; count() === before; waited += 100) {
      if (waited > limitMs)
        throw new Error(`no template was made in two minutes: the server's log does not say ${word}`);
      await delay(100);
    }
  }
  await create(server, size);
}

/** Until all are there that the server keeps ready. */
export async function poolIsFull(server: TestServer): Promise<void> {
  for (let waited = 0; ; waited += 50) {
    const { pool = [] } = infoSchema.parse((await server.http.json("GET", urls.info())).body);
    if (pool.every(({ wanted, ready }) => ready >= wanted)) return;
    if (waited > limitMs) throw new Error(`the pool was not full in two minutes: ${JSON.stringify(pool)}`);
    await delay(50);
  }
}

/** A cache directory with all of this checkout's but templates, so that those which are there are known. */
export class CacheWithoutTemplates implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<CacheWithoutTemplates> {
    const cache = new CacheWithoutTemplates(await mkdtemp(join(tmpdir(), "br-cache-")));
    for (const name of await readdir(defaultCacheDir())) {
      if (name !== "templates") await symlink(join(defaultCacheDir(), name), join(cache.path, name));
    }
    return cache;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
