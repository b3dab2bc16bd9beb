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

/**
 * Source: proc(5), smaps. A page of the template that the guest has written to is an anonymous one of its own, and so is one in the mappings beside the template's, of which the
 * template has nothing.
 */
async function ownBytes(pids: readonly string[]): Promise<{ readonly beside: number; readonly guest: number }> {
  let beside = 0;
  let guest = 0;
  for (const pid of pids) {
    const smaps = await readFile(`/proc/${pid}/smaps`, "utf8");
    for (const run of adjoining(mappingsOf(smaps))) {
      const isGuest = run.some(({ isTemplate }) => isTemplate);
      for (const { isTemplate, anonymous, pss } of run) {
        beside += isTemplate ? anonymous : pss;
        if (isGuest) guest += anonymous;
      }
    }
  }
  return { beside, guest };
}

interface Mapping {
  readonly from: string;
  readonly to: string;
  readonly isWritable: boolean;
  readonly isTemplate: boolean;
  readonly anonymous: number;
  readonly pss: number;
}

function mappingsOf(smaps: string): readonly Mapping[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).map((text) => {
    const [, from = "", to = "", rights = ""] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(text) ?? [];
    const isTemplate = text.split("\n", 1)[0]?.includes("memfd:boxrun-template") === true;
    const bytes = (field: string) => kilobytes(text, field) * 1024;
    return { from, to, isWritable: rights === "rw-p", isTemplate, anonymous: bytes("Anonymous"), pss: bytes("Pss") };
  });
}

/** Those of a guest's memory adjoin each other, and nothing else that can be written. */
function adjoining(mappings: readonly Mapping[]): readonly (readonly Mapping[])[] {
  const runs: Mapping[][] = [];
  for (const mapping of mappings) {
    const before = runs.at(-1)?.at(-1);
    if (before?.to === mapping.from && before.isWritable && mapping.isWritable) runs.at(-1)?.push(mapping);
    else runs.push([mapping]);
  }
  return runs;
}

function kilobytes(mapping: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(mapping)?.[1] ?? 0);
}
