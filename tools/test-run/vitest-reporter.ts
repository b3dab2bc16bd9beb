import { writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule, Vitest } from "vitest/node";
import type { StageReport } from "./report.ts";

/** Writes a StageReport to the file named by BOXRUN_TEST_REPORT: vitest's JSON reporter knows no reasons of skips. */
export default class StageReporter implements Reporter {
  #nameFilter = false;

  onInit(vitest: Vitest): void {
    this.#nameFilter = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const report: StageReport = { passed: 0, failures: [], skips: [] };
    for (const module of modules) this.#addModule(report, module);
    for (const error of unhandledErrors) report.failures.push(`unhandled error: ${firstLine(error.message)}`);
    const path = process.env.BOXRUN_TEST_REPORT;
    if (path) writeFileSync(path, JSON.stringify(report));
  }

  #addModule(report: StageReport, module: TestModule): void {
    const file = module.relativeModuleId;
    for (const error of module.errors()) report.failures.push(`${file}: ${firstLine(error.message)}`);
    for (const suite of module.children.allSuites()) {
      for (const error of suite.errors()) {
        report.failures.push(`${file} > ${suite.fullName}: ${firstLine(error.message)}`);
      }
    }
    for (const test of module.children.allTests()) {
      const result = test.result();
      const name = `${file} > ${test.fullName}`;
      if (test.diagnostic()?.flaky) report.unsteady = [...(report.unsteady ?? []), name];
      if (result.state === "passed") report.passed += 1;
      else if (result.state === "failed") report.failures.push(name);
      else if (result.state === "pending") report.failures.push(`${name}: it never ended`);
      // With `-t`, vitest calls the tests that it was not asked for skipped, too.
      else if (result.note || !this.#nameFilter) {
        report.skips.push({ test: name, reason: result.note ?? "no reason given" });
      }
    }
  }
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}
