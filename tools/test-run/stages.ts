import { type SpawnOptions, spawn } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { type GoEvent, GoEventCounter } from "./go-events.ts";
import type { StageReport } from "./report.ts";

/** How long a stage may take to end after SIGTERM before it is killed. */
const stopDeadlineMs = 10_000;

/** Runs one vitest project, or several one after the other. `args` are vitest's own (file filters, `-t name`); with any, a project may have no match. */
export async function vitestStage(
  root: string,
  projects: readonly string[],
  args: string[],
  signal: AbortSignal,
  output: "inherit" | "ignore" = "inherit",
): Promise<StageReport> {
  const dir = mkdtempSync(join(tmpdir(), "boxrun-tests-"));
  const path = join(dir, "report.json");
  try {
    const status = await run(
      "vitest",
      vitestArguments(projects, args),
      { cwd: root, env: { ...process.env, BOXRUN_TEST_REPORT: path }, stdio: ["ignore", output, output] },
      signal,
    );
    return settleReport(projects.join(", "), existsSync(path) ? readFileSync(path, "utf8") : undefined, status);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** With these, vitest runs a project, or several, and writes its StageReport to the file named by BOXRUN_TEST_REPORT. */
export function vitestArguments(projects: readonly string[], args: readonly string[]): string[] {
  const reporters = ["--reporter=default", "--reporter=./tools/test-run/vitest-reporter.ts"];
  const chosen = projects.flatMap((project) => ["--project", project]);
  return ["run", ...chosen, ...reporters, ...(args.length > 0 ? ["--passWithNoTests"] : []), ...args];
}

/** What vitest wrote, if anything, together with how it ended: an end that the report does not explain is a failure, too. */
export function settleReport(project: string, written: string | undefined, status: string): StageReport {
  const report = written === undefined ? undefined : parseReport(written);
  if (!report) {
    // A filter that nothing matches leaves no report, and that is all right.
    const matchedNothing = written === undefined && status === "exit code 0";
    return matchedNothing ? nothing() : failed(`vitest ${project}: it ended with ${status} and no report`);
  }
  if (status !== "exit code 0" && report.failures.length === 0) {
    report.failures.push(`vitest ${project}: it ended with ${status}`);
  }
  return report;
}

/** gofmt, go vet and go test in every Go module of the checkout. */
export async function goStage(root: string, signal: AbortSignal): Promise<StageReport[]> {
  const modules = globSync(["*/go.mod", "packages/*/*/go.mod"], { cwd: root }).map((file) => dirname(file));
  if (modules.length === 0) return [failed("go: the checkout has no Go module")];
  const reports: StageReport[] = [];
  for (const module of modules.sort()) {
    if (!signal.aborted) reports.push(await goModule(root, module, signal));
  }
  return reports;
}

async function goModule(root: string, module: string, signal: AbortSignal): Promise<StageReport> {
  const cwd = join(root, module);
  // No C compiler is needed: the agent is built without cgo too.
  const env = { ...process.env, CGO_ENABLED: "0" };
  const failures: string[] = [];
  console.log(`\n go  ${module}`);

  const unformatted: string[] = [];
  const formatted = await run(
    "gofmt",
    ["-l", "."],
    { cwd, env, stdio: ["ignore", "pipe", "inherit"] },
    signal,
    (line) => {
      unformatted.push(line);
    },
  );
  if (formatted !== "exit code 0") failures.push(`gofmt in ${module}: it ended with ${formatted}`);
  for (const file of unformatted) failures.push(`gofmt: ${module}/${file} is not formatted`);

  const vetted = await run("go", ["vet", "./..."], { cwd, env, stdio: ["ignore", "inherit", "inherit"] }, signal);
  if (vetted !== "exit code 0") failures.push(`go vet in ${module}: it ended with ${vetted}`);

  const counter = new GoEventCounter((text) => process.stdout.write(text));
  const tested = await run(
    "go",
    ["test", "-json", "-timeout", "5m", "./..."],
    { cwd, env, stdio: ["ignore", "pipe", "inherit"] },
    signal,
    (line) => {
      if (!line.startsWith("{")) return console.log(line);
      const event: GoEvent = JSON.parse(line);
      counter.add(event);
    },
  );
  const report = counter.report();
  report.failures.unshift(...failures);
  if (tested !== "exit code 0" && report.failures.length === 0) {
    report.failures.push(`go test in ${module}: it ended with ${tested}`);
  }
  return report;
}

/**
 * Runs a program to its end and says how it ended; `onLine` gets its standard output when that is a pipe. Never rejects.
 * The program leads a process group of its own, which ends with it or when `signal` says so: vitest, told to stop, leaves
 * its workers behind.
 */
async function run(
  command: string,
  args: string[],
  options: SpawnOptions,
  signal: AbortSignal,
  onLine: (line: string) => void = () => {},
): Promise<string> {
  const child = spawn(command, args, { ...options, detached: true });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`"${error.message}"`));
    child.once("close", (code, signalName) => resolve(signalName ?? `exit code ${code}`));
  });
  let deadline: NodeJS.Timeout | undefined;
  const stop = () => {
    signalGroup(child.pid, "SIGTERM");
    deadline = setTimeout(() => signalGroup(child.pid, "SIGKILL"), stopDeadlineMs);
  };
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (child.stdout) for await (const line of createInterface({ input: child.stdout })) onLine(line);
    return await ended;
  } finally {
    signal.removeEventListener("abort", stop);
    clearTimeout(deadline);
    signalGroup(child.pid, "SIGKILL");
  }
}

function signalGroup(leaderPid: number | undefined, name: NodeJS.Signals): void {
  if (leaderPid === undefined) return;
  try {
    process.kill(-leaderPid, name);
  } catch {
    // The whole group is gone already.
  }
}

function parseReport(text: string): StageReport | undefined {
  try {
    const report: StageReport = JSON.parse(text);
    return report;
  } catch {
    return undefined;
  }
}

function nothing(): StageReport {
  return { passed: 0, failures: [], skips: [] };
}

/** A stage that could not do its work. */
export function failed(failure: string): StageReport {
  return { passed: 0, failures: [failure], skips: [] };
}
