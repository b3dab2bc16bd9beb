import { totalmem } from "node:os";
import { defaultCacheDir } from "../../packages/images/src/cache-dir.ts";
import { outerImage } from "../boxlite/image/build.ts";
import { findPlace } from "../boxlite/place.ts";
import { buildBoxParts, defaultSize, type SessionOptions, startOuterVm } from "../boxlite/session.ts";
import { endVm } from "../boxlite/vm/boot.ts";
import { keptVm } from "../boxlite/vm/kept.ts";
import { readFileInside, runInside } from "../boxlite/vm/run.ts";
import { type StageReport, total } from "./report.ts";
import { failed, settleReport, vitestArguments, vitestStage } from "./stages.ts";

/** What runs in an outer VM: vitest's own arguments choose the files. */
interface Lane {
  readonly name: string;
  readonly args: readonly string[];
}

/** Real BoxLite boxes, and behind them boxes on QEMU with KVM. */
const projects = ["boxlite", "kvm"];

/** About half of all that there is to do. */
const firstHalf = ["conformance-lifecycle", "conformance-programs", "images"];

/** An outer VM has one CPU (tools/boxlite/session.ts says why), so two of them use two cores. */
const sideBySide: readonly Lane[] = [
  { name: "first", args: firstHalf },
  { name: "second", args: firstHalf.flatMap((file) => ["--exclude", `**/${file}.*`]) },
];

/**
 * The tests on real BoxLite boxes, and those on QEMU with KVM: here where KVM works, else in outer VMs (tools/boxlite). A host that can have neither skips them and
 * says why; whatever else keeps them from running is a failure.
 */
export async function boxliteStage(root: string, args: string[], signal: AbortSignal): Promise<StageReport> {
  const cacheDir = defaultCacheDir();
  const log = (line: string) => console.log(` boxlite  ${line}`);
  const session = { checkout: root.replace(/\/$/, ""), cacheDir, log, signal };
  console.log("");
  try {
    await buildBoxParts(session);
    const place = await findPlace(cacheDir);
    if (place.kind === "nowhere") {
      log(`NOT RUN: ${place.why}`);
      return {
        passed: 0,
        failures: [],
        skips: [{ test: "every test on real BoxLite boxes, and on QEMU with KVM", reason: place.why }],
      };
    }
    if (place.kind === "here") {
      log(`on this host: ${place.why}`);
      return await vitestStage(root, projects, args, signal);
    }
    log(`in outer VMs, which emulate a CPU with virtualisation: ${place.why}`);
    // Once, before each lane asks for it.
    await outerImage(session);
    const lanes = args.length === 0 && fits(sideBySide.length) ? sideBySide : [{ name: "", args }];
    return total(await Promise.all(lanes.map((lane) => runLane(lane, session))));
  } catch (error) {
    return notRun(error);
  }
}

/** Whether the host has the memory for so many outer VMs, and some left for itself. */
function fits(vms: number): boolean {
  return totalmem() / 2 ** 20 >= vms * defaultSize.memoryMb + 2048;
}

async function runLane({ name, args }: Lane, base: SessionOptions): Promise<StageReport> {
  const label = name === "" ? "" : ` ${name.padEnd(7)}`;
  const session = { ...base, log: (line: string) => base.log(`${label}${line}`) };
  const { checkout, cacheDir, signal } = session;
  try {
    // Someone who works on BoxLite may have one running; it is not ended then. It has room for one lane.
    const kept = name === "" ? await keptVm(cacheDir, checkout) : undefined;
    const vm = kept ?? (await startOuterVm(session));
    try {
      const path = `/scratch/report-${process.pid}-${name}.json`;
      const command = ["vitest", ...vitestArguments(projects, args)];
      const env = { BOXRUN_TEST_REPORT: path };
      const onLine = name === "" ? undefined : (line: string) => console.log(`${label}${line}`);
      const code = await runInside(vm, { checkout, cacheDir, command, env, onLine, signal });
      const report = settleReport(`boxlite${label}`, await readFileInside(vm, path, signal), `exit code ${code}`);
      const found = report.passed + report.failures.length + report.skips.length;
      return found === 0 && name !== "" ? failed(`boxlite: no test file is in the lane ${name}`) : report;
    } finally {
      if (kept === undefined) await endVm(vm);
    }
  } catch (error) {
    return notRun(error);
  }
}

function notRun(error: unknown): StageReport {
  return failed(`boxlite: NOT RUN: ${error instanceof Error ? error.message : String(error)}`);
}
