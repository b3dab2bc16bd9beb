import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { infoSchema, urls } from "@boxrun/contract";
import { openRuntime } from "../../packages/engine-boxlite/src/sdk.ts";
import { collect } from "../../test/e2e/support/http.ts";
import { TestServer } from "../../test/e2e/support/server.ts";
import { CacheWithoutTemplates, type Created, create, makeTemplates } from "./creates.ts";
import { type Figure, median, ms } from "./figures.ts";
import { baseLayout, createRaw } from "./raw-boxlite.ts";

const creates = 11;
/** Not counted: JavaScript that has run a few times only is slow, above all on an emulated CPU, and a server that serves is past that. */
const warmUps = { execs: 40, creates: 20 };
const size = { cpu: 1, memory_mb: 256 } as const;
/** Of BoxLite's own. */
const mostOfBoxLite = 0.25;

/**
 * Boxes on QEMU with KVM, from a template, against BoxLite's SDK alone on the same host: the same image, the same shape, to the first word of a program. In turns. What it says is in
 * the host's own ms, which in an outer VM with a slow clock (docs/testing-boxlite.md) are longer than they are here.
 */
export async function benchKvm(): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), "br-kvm-"));
  const runtime = await openRuntime(join(dir, "home"));
  try {
    await using cache = await CacheWithoutTemplates.make();
    await using server = await TestServer.start({ env: { BOXRUN_ENGINE: "qemu", BOXRUN_CACHE_DIR: cache.path } });
    const { accelerator, why } = infoSchema.parse((await server.http.json("GET", urls.info())).body).engine;
    if (accelerator !== "kvm") throw new Error(`boxes on QEMU do not run with KVM here: ${why}`);
    const layoutDir = await baseLayout(dir);
    await makeTemplates(server, size);
    for (let count = 0; count < warmUps.creates; count += 1) await create(server, size);
    const box = await server.http.createBox(size);
    for (let count = 0; count < warmUps.execs; count += 1) await collect(server.http.follow(box.id, ["echo", "hello"]));
    await server.http.json("DELETE", urls.removeBox(box.id, true));
    // The first makes its image's disk.
    const first = await createRaw(runtime, layoutDir);
    await runtime.remove(first.result.id, true);
    const [own, through]: [number[], Created[]] = [[], []];
    for (let count = 0; count < creates; count += 1) {
      const made = await createRaw(runtime, layoutDir);
      own.push(made.firstByte);
      await runtime.remove(made.result.id, true);
      through.push(await create(server, size));
    }
    const boxLite = median(own);
    const took = median(through.map(({ firstByte }) => firstByte));
    const running = median(through.map((one) => one.running));
    return [
      {
        name: `create to the first byte of echo, from a template with KVM, median of ${creates}, by the clock of where it ran`,
        value: `${ms(took)} (running after ${ms(running)}), ${(took / boxLite).toFixed(3)} ×`,
        reference: `the same with BoxLite's SDK alone, ${ms(boxLite)}`,
        bar: `${mostOfBoxLite} ×`,
        held: took <= mostOfBoxLite * boxLite,
      },
    ];
  } finally {
    for (const { id } of await runtime.listInfo()) await runtime.remove(id, true);
    await rm(dir, { recursive: true, force: true });
  }
}
