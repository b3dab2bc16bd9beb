import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import { Chance } from "@boxrun/engine-testkit/chance";
import { afterAll, expect, test } from "vitest";
import { socketAddress } from "../../src/address.ts";
import { BulkArea, bulkDiskBytes } from "../../src/bulk/area.ts";
import { startExec } from "../../src/exec.ts";
import { AgentFiles } from "../../src/files.ts";
import { Forgetting } from "../../src/forgetting.ts";
import { AgentLine } from "../../src/line.ts";
import { helloSchema } from "../../src/messages.ts";
import { requestJson } from "../../src/requests.ts";
import { fakeBootId, json, startFakeAgent } from "../support/fake-agent.ts";
import { startHostileAgent } from "./hostile-agent.ts";
import { runSeed } from "./seed.ts";
import { watchEventLoop } from "./watch.ts";

const dir = mkdtempSync(join(tmpdir(), "bh-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What the guests have written there is as good as anything. */
const bulkDisk = join(dir, "bulk");
writeFileSync(bulkDisk, Buffer.alloc(bulkDiskBytes));

const seed = runSeed();
/** Each is a guest of its own, with a dozen requests and connections as it likes. */
const cases = Number(process.env.BOXRUN_FUZZ_CASES ?? 2000);
const atOnce = 32;
/** How long the host deals with one guest, in milliseconds. */
const caseMs = 150;
/** Far more than any machine needs; what is never settled takes for ever. */
const settleMs = 30_000;

const over = new BoxRunError("RUNTIME_ERROR", "the case is over");

async function drain(content: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of content);
}

/** Everything that a server does with a box, a few at a time. */
function ask(line: AgentLine, chance: Chance, gone: AbortSignal, bulk: BulkArea): Promise<unknown> {
  const files = new AgentFiles(line, "box_1", chance.hits(0.5) ? { bulk } : {});
  const host = { boxId: "box_1", line, forgetting: new Forgetting(line), gone };
  const spec = { id: "e1", cmd: ["x"], env: {}, workdir: "/", user: null, stdin: true, tty: null, timeoutMs: null };
  const content = () => Readable.from([Buffer.alloc(chance.below(100_000))]);
  const options = { signal: gone };
  return chance.pick([
    () => requestJson(line, "GET", "/hello", helloSchema, { repeatable: true, limitMs: caseMs }),
    () => requestJson(line, "GET", "/hello", helloSchema, { limitMs: caseMs }),
    () => Array.fromAsync(files.list("/", options)),
    async () => drain((await files.read("/f", options)).content),
    async () => drain(await files.readArchive("/d", options)),
    () => files.write("/f", content(), options),
    async () => {
      const exec = await startExec(host, spec);
      exec.exit.catch(() => undefined);
      await Promise.allSettled([
        drain(exec.output),
        exec.writeStdin(content(), { eof: true, signal: gone }),
        exec.cancel(),
      ]);
    },
  ])();
}

async function runCase(number: number): Promise<void> {
  const chance = new Chance(seed + number);
  const path = join(dir, `${number}.sock`);
  await using _ = await startHostileAgent(path, chance);
  const sockets: Socket[] = [];
  const address = {
    name: path,
    connect: () => {
      const socket = connect({ path });
      sockets.push(socket);
      return socket;
    },
  };
  const line = new AgentLine(address, fakeBootId);
  const gone = new AbortController();
  const bulk = new BulkArea(bulkDisk);
  const requests = Array.from({ length: 1 + chance.below(12) }, async () => {
    await sleep(chance.below(caseMs));
    await ask(line, chance, gone.signal, bulk);
  });
  const asked = Promise.allSettled(requests);
  await Promise.race([asked, sleep(caseMs)]);
  gone.abort(over);
  line.end(over);
  const timer = new AbortController();
  const settled = await Promise.race([asked.then(() => true), sleep(settleMs, false, { signal: timer.signal })]);
  timer.abort();
  const open = sockets.filter((socket) => !socket.destroyed).length;
  expect({ seed, number, settled, open }).toEqual({ seed, number, settled: true, open: 0 });
  // Whatever they have said, the slots are nobody's again.
  for (const direction of ["in", "out"] as const) await expect.poll(() => bulk.free(direction)).toBe(8);
}

test(`whatever ${cases} hostile guests say, every request ends, the event loop goes on, and an honest guest is heard (seed ${seed})`, async () => {
  await using honest = await startFakeAgent(join(dir, "honest.sock"), (stream) =>
    json(stream, { agent: "0.4.0", protocol: 2, boot_id: fakeBootId, setup: true }),
  );
  const beside = new AgentLine(socketAddress(honest.path));
  await using loop = watchEventLoop(`BOXRUN_FUZZ_SEED=${seed}`, 20_000);
  const before = process.memoryUsage();
  const handlesBefore = process.getActiveResourcesInfo().length;
  let next = 0;
  let answers = 0;
  const hostile = Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < cases) await runCase(next++);
    }),
  );
  let isOver = false;
  const listening = (async () => {
    while (!isOver) {
      await requestJson(beside, "GET", "/hello", helloSchema, { limitMs: settleMs });
      answers += 1;
      await sleep(20);
    }
  })();
  await hostile;
  isOver = true;
  await listening;
  beside.end(over);
  expect(answers).toBeGreaterThan(10);
  expect(loop.worstMs()).toBeLessThan(5000);
  for (let n = 0; process.getActiveResourcesInfo().length > handlesBefore + 10 && n < 500; n++) await sleep(10);
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(handlesBefore + 10);
  expect(process.memoryUsage().rss - before.rss).toBeLessThan(600 * 1024 * 1024);
});
