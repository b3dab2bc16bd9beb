import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { boxDirVariable } from "@boxrun/host";
import { TestServer } from "../../test/e2e/support/server.ts";
import { type Figure, mb, median } from "./figures.ts";

const count = 6;
const memoryMb = 512;
/** For what a box does when it has come up. */
const settleMs = 15_000;

/** What an idle box takes of the host's memory, beside the template that all of its shape share. */
export async function benchDensity(): Promise<Figure[]> {
  await using server = await TestServer.start();
  const boxes: string[] = [];
  // The first ones have the templates made.
  for (let nth = 0; nth < count + 2; nth += 1) {
    boxes.push((await server.http.createBox({ memory_mb: memoryMb })).id);
    if (nth < 2) await delay(settleMs);
  }
  await delay(settleMs);
  const idle = await Promise.all(
    boxes.slice(2).map(async (id) => ownBytes(await processesOf(join(server.stateDir, "vm", id)))),
  );
  const own = median(idle.map(({ beside }) => beside));
  return [
    {
      name: `an idle box of ${memoryMb} MB, PSS beside its template, median of ${count}`,
      value: mb(own),
      reference: `${mb(median(idle.map(({ guest }) => guest)))} of it pages that the guest has written`,
      bar: "60 MB",
      held: own <= 60 * 1024 * 1024,
    },
  ];
}

async function processesOf(boxDir: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (environment.split("\0").includes(`${boxDirVariable}=${boxDir}`)) found.push(pid);
  }
  return found;
}

/** Source: proc(5), smaps. A page of the template that the guest has written to is an anonymous one of its own. */
async function ownBytes(pids: readonly string[]): Promise<{ readonly beside: number; readonly guest: number }> {
  let beside = 0;
  let guest = 0;
  for (const pid of pids) {
    const smaps = await readFile(`/proc/${pid}/smaps`, "utf8");
    for (const mapping of smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
      const isTemplate = mapping.split("\n", 1)[0]?.includes("memfd:boxrun-template") === true;
      const bytes = kilobytes(mapping, isTemplate ? "Anonymous" : "Pss") * 1024;
      beside += bytes;
      if (isTemplate) guest += bytes;
    }
  }
  return { beside, guest };
}

function kilobytes(mapping: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(mapping)?.[1] ?? 0);
}
