import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { urls } from "@boxrun/contract";
import { TestServer } from "../../test/e2e/support/server.ts";
import { CacheWithoutTemplates, makeTemplates } from "./creates.ts";
import { type Figure, median, ms } from "./figures.ts";

const atOnce = 10;
const rounds = 3;
const size = { cpu: 1, memory_mb: 256 } as const;
/** Of a second: what proc(5) counts in, on every Linux. */
const ticksPerSecond = 100;

interface Burst {
  /** Until the last of them has shown the first byte of `echo`. */
  readonly tookMs: number;
  /** The same work, if every CPU had done nothing else and never waited. */
  readonly allowedMs: number;
}

/** Ten boxes at once, against the CPU time that they take of this host: what is beyond it is waiting. */
export async function benchBurst(): Promise<Figure[]> {
  await using cache = await CacheWithoutTemplates.make();
  await using server = await TestServer.start({ env: { BOXRUN_CACHE_DIR: cache.path } });
  await makeTemplates(server, size);
  const bursts: Burst[] = [];
  for (let round = 0; round < rounds; round += 1) bursts.push(await burst(server));
  const took = median(bursts.map(({ tookMs }) => tookMs));
  const allowed = median(bursts.map(({ allowedMs }) => allowedMs));
  return [
    {
      name: `${atOnce} creates at once, to the first byte of echo in the last, median of ${rounds}`,
      value: `${ms(took)}, ${(took / allowed).toFixed(2)} ×`,
      reference: `their CPU time on ${availableParallelism()} CPUs, ${ms(allowed)}`,
      bar: "2 ×",
      held: took <= 2 * allowed,
    },
  ];
}

async function burst(server: TestServer): Promise<Burst> {
  const before = await cpuMs(server.pid, { withChildren: true });
  const begun = performance.now();
  const boxes = await Promise.all(
    Array.from({ length: atOnce }, async () => {
      const box = await server.http.createBox(size);
      for await (const { event } of server.http.follow(box.id, ["echo", "hello"])) if (event === "log") break;
      return box;
    }),
  );
  const tookMs = performance.now() - begun;
  const ofServer = (await cpuMs(server.pid, { withChildren: true })) - before;
  const processes = await server.boxProcesses();
  const ofBoxes = await Promise.all(
    boxes.flatMap(({ id }) => processes.get(id) ?? []).map((pid) => cpuMs(pid, { withChildren: false })),
  );
  await Promise.all(boxes.map(({ id }) => server.http.json("DELETE", urls.removeBox(id, true))));
  const total = ofBoxes.reduce((sum, one) => sum + one, ofServer);
  return { tookMs, allowedMs: total / Math.min(availableParallelism(), atOnce) };
}

/** Source: proc(5), stat. `withChildren`: with those that have ended. */
async function cpuMs(pid: number, { withChildren }: { readonly withChildren: boolean }): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // Behind the name, in parentheses: state is the third field, utime, stime, cutime and cstime the 14th to 17th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, withChildren ? 15 : 13).map(Number);
  return (ticks.reduce((sum, one) => sum + one, 0) * 1000) / ticksPerSecond;
}
