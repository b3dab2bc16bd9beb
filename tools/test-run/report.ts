/** What one stage of the test run (a vitest project, the Go tests of a module) found. It travels between processes as JSON. */
export interface StageReport {
  passed: number;
  /** One entry for each failed test, and for whatever else went wrong: a file that did not load, a build, a crash. */
  failures: string[];
  skips: Skip[];
  /** Tests that failed at first and passed when they were run again (vitest.config.ts says where that is done): they race, and want mending. */
  unsteady?: string[];
}

interface Skip {
  test: string;
  reason: string;
}

/** Joins the stages of a run. */
export function total(reports: StageReport[]): StageReport {
  return {
    passed: reports.reduce((sum, report) => sum + report.passed, 0),
    failures: reports.flatMap((report) => report.failures),
    skips: reports.flatMap((report) => report.skips),
    unsteady: reports.flatMap((report) => report.unsteady ?? []),
  };
}

/** The end of a run: every skip with its reason, every unsteady test and every failure by name, and last, alone on its line, the count. */
export function summaryLines({ passed, failures, skips, unsteady = [] }: StageReport): string[] {
  return [
    ...skips.map(({ test, reason }) => `skipped: ${test}: ${reason}`),
    ...unsteady.map((test) => `UNSTEADY: ${test}: failed, and passed when it was run again`),
    ...failures.map((failure) => `FAILED: ${failure}`),
    `${passed} passed, ${failures.length} failed, ${skips.length} skipped`,
  ];
}

/** A run is good when something ran and nothing failed. */
export function exitCode({ passed, failures }: StageReport): number {
  return passed > 0 && failures.length === 0 ? 0 : 1;
}
