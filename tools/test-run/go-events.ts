import type { StageReport } from "./report.ts";

/** A line of `go test -json`; see `go doc test2json`. */
export interface GoEvent {
  Action: string;
  Package?: string;
  /** Absent in events about a whole package. */
  Test?: string;
  Output?: string;
  /** In build-output and build-fail. */
  ImportPath?: string;
}

interface Ended {
  package: string;
  test: string;
  action: string;
  output: string;
}

/**
 * Counts the tests in a stream of `go test -json` events. A test with subtests is not counted besides them, unless it
 * failed on its own account. `print` gets what a person wants to see: package lines, build errors, output of failed tests.
 */
export class GoEventCounter {
  #ended: Ended[] = [];
  #outputs = new Map<string, string>();
  #failedPackages: string[] = [];
  #print: (text: string) => void;

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  add(event: GoEvent): void {
    const { Action: action, Package: name = event.ImportPath ?? "?", Test: test, Output: text = "" } = event;
    if (action === "build-output") this.#print(text);
    else if (test === undefined) {
      if (action === "output" && !/^(PASS|FAIL)\n$/.test(text)) this.#print(text);
      if (action === "fail") this.#failedPackages.push(name);
    } else if (action === "output") {
      const key = `${name} ${test}`;
      this.#outputs.set(key, (this.#outputs.get(key) ?? "") + text);
    } else if (action === "pass" || action === "fail" || action === "skip") {
      const output = this.#outputs.get(`${name} ${test}`) ?? "";
      this.#outputs.delete(`${name} ${test}`);
      this.#ended.push({ package: name, test, action, output });
      if (action === "fail") this.#print(output);
    }
  }

  report(): StageReport {
    const report: StageReport = { passed: 0, failures: [], skips: [] };
    for (const { package: name, test, action, output } of this.#ended) {
      const label = `${name} ${test}`;
      const subtests = this.#ended.filter((other) => other.package === name && other.test.startsWith(`${test}/`));
      if (action === "fail" && !subtests.some((other) => other.action === "fail")) report.failures.push(label);
      if (subtests.length > 0) continue;
      if (action === "pass") report.passed += 1;
      if (action === "skip") report.skips.push({ test: label, reason: skipReason(output) });
    }
    for (const name of this.#failedPackages) {
      // A package that does not build, panics or runs out of time fails without a test that says so.
      const blamed = report.failures.some((failure) => failure.startsWith(`${name} `));
      if (!blamed) report.failures.push(`${name}: the package failed, see above`);
    }
    return report;
  }
}

/** `t.Skip("why")` prints "    file_test.go:12: why" before its verdict. */
function skipReason(output: string): string {
  const said = output
    .split("\n")
    .map((line) => /^\s+\S+_test\.go:\d+: (.*)$/.exec(line)?.[1])
    .filter((line) => line !== undefined);
  return said.join("; ") || "no reason given";
}
