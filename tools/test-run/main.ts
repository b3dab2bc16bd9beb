/**
 * The test run behind `npm test`: vitest's unit project and the Go tests beside one another, then vitest's vm project, and one count
 * over all at the end. `--unit`, `--go`, `--vm`, `--install` and `--boxlite` choose stages; everything else goes to vitest, and then Go is left out.
 * The stages install and boxlite run only where they are asked for.
 */
import { fileURLToPath } from "node:url";
import { helpOf } from "../../packages/host/src/command-line.ts";
import { exitCode, type StageReport, summaryLines, total } from "./report.ts";
import { goStage, vitestStage } from "./stages.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const everyday = ["unit", "go", "vm"];
const stageNames = [...everyday, "install", "boxlite"];

const given = process.argv.slice(2);
if (given.includes("--help") || given.includes("-h")) {
  process.stdout.write(helpOf(import.meta.url));
  process.exit(0);
}
const forVitest = given.filter((argument) => !stageNames.includes(argument.replace(/^--/, "")));
const chosen = stageNames.filter((name) => given.includes(`--${name}`));
const wanted = new Set(chosen.length > 0 ? chosen : forVitest.length > 0 ? ["unit", "vm"] : everyday);

// Whoever ends this run ends what it started.
const abort = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => abort.abort());

const reports: StageReport[] = [];
// Beside one another: neither keeps two cores busy alone.
const [unit, go] = await Promise.all([
  wanted.has("unit") ? vitestStage(root, ["unit"], forVitest, abort.signal) : undefined,
  wanted.has("go") ? goStage(root, abort.signal) : undefined,
]);
reports.push(...(unit === undefined ? [] : [unit]), ...(go ?? []));
if (wanted.has("vm") && !abort.signal.aborted) reports.push(await vitestStage(root, ["vm"], forVitest, abort.signal));
if (wanted.has("install") && !abort.signal.aborted) {
  reports.push(await vitestStage(root, ["install"], forVitest, abort.signal));
}
if (wanted.has("boxlite") && !abort.signal.aborted) {
  // It alone builds Debian systems and boots one: what the other stages don't need is not loaded for them.
  const { boxliteStage } = await import("./boxlite-stage.ts");
  reports.push(await boxliteStage(root, forVitest, abort.signal));
}

const report = total(reports);
if (abort.signal.aborted) report.failures.push("the run was interrupted");
if (report.passed + report.failures.length === 0) console.log("\nNo test ran.");
console.log(`\n${summaryLines(report).join("\n")}`);
process.exitCode = exitCode(report);
