import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { urls } from "@boxrun/contract";
import { openRuntime } from "../../packages/engine-boxlite/src/sdk.ts";
import { collect } from "../../test/e2e/support/http.ts";
import { TestServer } from "../../test/e2e/support/server.ts";
import { type Figure, median, ms, timed } from "./figures.ts";
import { baseLayout, check, createRaw, execRaw } from "./raw-boxlite.ts";

/** Not counted: JavaScript that has run a few times only is slow, above all on an emulated CPU, and a server that serves is past that. */
const warmUps = { execs: 40, creates: 6 };
const execs = 50;
const blockSize = 10;
const creates = 7;
const atOnce = 20;

/** The server on BoxLite against BoxLite's SDK alone: the same image, the same shape, in turns. */
export async function benchBoxLite(): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), "br-lite-"));
  const runtime = await openRuntime(join(dir, "home"));
  try {
    await using server = await startServer();
    const layoutDir = await baseLayout(dir);
    // The first box of each makes its image's disk.
    const { result: raw } = await createRaw(runtime, layoutDir);
    const box = await server.http.createBox({ cpu: 1, memory_mb: 256, disk_size_gb: 1 });
    const [straight, through]: [number[], number[]] = [[], []];
    for (let count = 0; count < warmUps.execs; count += 1) await execThroughServer(server, box.id);
    // In blocks, so that what the one leaves behind (its execs are forgotten a second later) is not counted as the other's.
    for (let block = 0; block < execs / blockSize; block += 1) {
      for (let count = 0; count < blockSize; count += 1) straight.push((await timed(() => execRaw(raw))).ms);
      for (let count = 0; count < blockSize; count += 1) {
        through.push((await timed(() => execThroughServer(server, box.id))).ms);
      }
    }
    const together = await timed(() =>
      Promise.allSettled(Array.from({ length: atOnce }, () => execThroughServer(server, box.id))),
    );
    const failures = together.result.filter(({ status }) => status === "rejected").length;
    await runtime.remove(raw.id, true);
    await server.http.json("DELETE", urls.removeBox(box.id, true));
    const [rawCreates, serverCreates]: [number[], number[]] = [[], []];
    for (let count = 0; count < warmUps.creates; count += 1) {
      await server.http.json("DELETE", urls.removeBox(await createThroughServer(server), true));
    }
    for (let count = 0; count < creates; count += 1) {
      const made = await createRaw(runtime, layoutDir);
      rawCreates.push(made.ms);
      await runtime.remove(made.result.id, true);
      const created = await timed(() => createThroughServer(server));
      serverCreates.push(created.ms);
      await server.http.json("DELETE", urls.removeBox(created.result, true));
    }
    const over = median(through) - median(straight);
    const ratio = median(serverCreates) / median(rawCreates);
    return [
      {
        name: `exec echo, POST to exit event, median of ${execs}`,
        value: `${ms(median(through))}, ${ms(over)} over`,
        reference: `the same with BoxLite's SDK alone, ${ms(median(straight))}`,
        bar: "10 ms over",
        held: over <= 10,
      },
      {
        name: `create and a first echo, median of ${creates}`,
        value: `${ms(median(serverCreates))}, ${ratio.toFixed(2)} ×`,
        reference: `the same with BoxLite's SDK alone, ${ms(median(rawCreates))}`,
        bar: "1.05 ×",
        held: ratio <= 1.05,
      },
      {
        name: `${atOnce} execs at once`,
        value: `${failures} failures in ${ms(together.ms)}`,
        reference: "none",
        bar: "0 failures",
        held: failures === 0,
      },
    ];
  } finally {
    for (const { id } of await runtime.listInfo()) await runtime.remove(id, true);
    await rm(dir, { recursive: true, force: true });
  }
}

/** Its proof that a box boots is the first to pay for everything that is cold, and may take longer than BoxLite waits for a box. */
async function startServer(): Promise<TestServer> {
  const start = () => TestServer.start({ env: { BOXRUN_ENGINE: "boxlite" } });
  return await start().catch((error: unknown) => {
    if (!String(error).includes("no box booted")) throw error;
    console.log("no box booted in time for the server to start; it gets another attempt");
    return start();
  });
}

async function createThroughServer(server: TestServer): Promise<string> {
  const { id } = await server.http.createBox({ cpu: 1, memory_mb: 256, disk_size_gb: 1 });
  await execThroughServer(server, id);
  return id;
}

async function execThroughServer(server: TestServer, boxId: string): Promise<void> {
  const { stdout, exitCode } = await collect(server.http.follow(boxId, ["echo", "hello"]));
  check(stdout, exitCode);
}
