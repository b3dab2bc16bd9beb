import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GoEvent, GoEventCounter } from "../test-run/go-events.ts";
import { exitCode, type StageReport, summaryLines, total } from "../test-run/report.ts";
import { goStage, vitestStage } from "../test-run/stages.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const never = new AbortController().signal;

describe("the summary of a test run", () => {
  it("ends with one plain line and names what was skipped and what failed", () => {
    const report = total([
      { passed: 3, failures: [], skips: [{ test: "a", reason: "no KVM" }] },
      { passed: 4, unsteady: ["c"], failures: ["b"], skips: [] },
    ]);
    expect(summaryLines(report)).toEqual([
      "skipped: a: no KVM",
      "UNSTEADY: c: failed, and passed when it was run again",
      "FAILED: b",
      "7 passed, 1 failed, 1 skipped",
    ]);
    expect(exitCode(report)).toBe(1);
  });

  it("is a failure when nothing ran", () => {
    expect(exitCode(total([]))).toBe(1);
    expect(exitCode({ passed: 1, failures: [], skips: [] })).toBe(0);
  });
});

describe("a vitest stage", () => {
  const tree = mkdtempSync(join(tmpdir(), "boxrun-stage-"));
  let report: StageReport;

  function put(file: string, text: string): void {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    writeFileSync(join(tree, file), text);
  }

  beforeAll(async () => {
    for (const name of ["tools", "node_modules"]) symlinkSync(join(root, name), join(tree, name));
    put("package.json", '{ "type": "module" }\n');
    const project = '{ test: { name: "unit", include: ["t/*.test.ts"] } }';
    put("vitest.config.ts", `export default { test: { projects: [${project}] } };\n`);
    put(
      "t/mixed.test.ts",
      `import { beforeAll, describe, expect, it } from "vitest";
       it("passes", () => {});
       it("fails", () => expect(1).toBe(2));
       let runs = 0;
       it("passes at its second attempt", { retry: 1 }, () => expect(++runs).toBe(2));
       it("is skipped", (ctx) => ctx.skip("no such thing here"));
       describe("broken", () => { beforeAll(() => { throw new Error("no setup"); }); it("never runs", () => {}); });\n`,
    );
    put("t/unloadable.test.ts", 'throw new Error("does not load");\n');
    put(
      "t/unhandled.test.ts",
      'import { it } from "vitest"; it("leaves", () => { void Promise.reject(new Error("lost")); });\n',
    );
    report = await vitestStage(tree, ["unit"], [], never, "ignore");
  }, 60_000);
  afterAll(() => rmSync(tree, { recursive: true, force: true }));

  it("counts what passed", () => expect(report.passed).toBe(3));

  it("names what passed only when it was run again", () => {
    expect(report.unsteady).toEqual(["t/mixed.test.ts > passes at its second attempt"]);
  });

  it("reports failed tests, failed set-up, files that do not load and unhandled errors", () => {
    expect(report.failures.sort()).toEqual([
      "t/mixed.test.ts > broken: no setup",
      "t/mixed.test.ts > fails",
      "t/unloadable.test.ts: does not load",
      "unhandled error: lost",
    ]);
  });

  it("keeps the reason of a skip", () => {
    expect(report.skips).toContainEqual({ test: "t/mixed.test.ts > is skipped", reason: "no such thing here" });
  });

  it("fails when there is no test at all, unless a filter was given", async () => {
    const none = await vitestStage(tree, ["no-such-project"], [], never, "ignore");
    expect(exitCode(none)).toBe(1);
    expect(none.failures).toHaveLength(1);
    const filtered = await vitestStage(tree, ["unit"], ["no-such-file"], never, "ignore");
    expect(filtered).toEqual({ passed: 0, failures: [], skips: [] });
  }, 60_000);
});

describe("the Go stage", () => {
  it("counts leaves, keeps skip reasons, and blames a package that fails without a test", () => {
    const events: GoEvent[] = [
      { Action: "output", Package: "m/a", Test: "TestSkip", Output: "    a_test.go:7: needs root\n" },
      { Action: "skip", Package: "m/a", Test: "TestSkip" },
      { Action: "pass", Package: "m/a", Test: "TestTable/one" },
      { Action: "output", Package: "m/a", Test: "TestTable/two", Output: "    a_test.go:9: got 1\n" },
      { Action: "fail", Package: "m/a", Test: "TestTable/two" },
      { Action: "fail", Package: "m/a", Test: "TestTable" },
      { Action: "pass", Package: "m/a", Test: "TestPlain" },
      { Action: "output", Package: "m/a", Output: "FAIL\tm/a\t0.1s\n" },
      { Action: "fail", Package: "m/a" },
      { Action: "build-output", ImportPath: "m/b", Output: "b.go:1: syntax error\n" },
      { Action: "fail", Package: "m/b" },
    ];
    let printed = "";
    const counter = new GoEventCounter((text) => {
      printed += text;
    });
    for (const event of events) counter.add(event);
    expect(counter.report()).toEqual({
      passed: 2,
      failures: ["m/a TestTable/two", "m/b: the package failed, see above"],
      skips: [{ test: "m/a TestSkip", reason: "needs root" }],
    });
    expect(printed).toBe("    a_test.go:9: got 1\nFAIL\tm/a\t0.1s\nb.go:1: syntax error\n");
  });

  it("fails where there is no Go module", async () => {
    const [report] = await goStage(join(root, "docs"), never);
    expect(report?.failures).toEqual(["go: the checkout has no Go module"]);
  });
});
