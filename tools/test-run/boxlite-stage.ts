import { defaultCacheDir } from "../../packages/images/src/cache-dir.ts";
import { findPlace } from "../boxlite/place.ts";
import { buildBoxParts, startOuterVm } from "../boxlite/session.ts";
import { endVm } from "../boxlite/vm/boot.ts";
import { keptVm } from "../boxlite/vm/kept.ts";
import { readFileInside, runInside } from "../boxlite/vm/run.ts";
import type { StageReport } from "./report.ts";
import { failed, settleReport, vitestArguments, vitestStage } from "./stages.ts";

/**
 * The tests on real BoxLite boxes: here where KVM works, else in an outer VM (tools/boxlite). A host that can have neither skips them and
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
      return { passed: 0, failures: [], skips: [{ test: "every test on real BoxLite boxes", reason: place.why }] };
    }
    if (place.kind === "here") {
      log(`on this host: ${place.why}`);
      return await vitestStage(root, "boxlite", args, signal);
    }
    log(`in an outer VM, which emulates a CPU with virtualisation: ${place.why}`);
    const kept = await keptVm(cacheDir, session.checkout);
    const vm = kept ?? (await startOuterVm(session));
    try {
      const path = `/scratch/report-${process.pid}.json`;
      const command = ["vitest", ...vitestArguments("boxlite", args)];
      const code = await runInside(vm, { ...session, command, env: { BOXRUN_TEST_REPORT: path } });
      return settleReport("boxlite", await readFileInside(vm, path, signal), `exit code ${code}`);
    } finally {
      if (kept === undefined) await endVm(vm);
    }
  } catch (error) {
    return failed(`boxlite: NOT RUN: ${error instanceof Error ? error.message : String(error)}`);
  }
}
