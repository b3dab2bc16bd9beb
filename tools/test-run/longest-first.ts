import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The files that take the longest, the longest of each project first. One that began last would be waited for alone; vitest itself knows how long a file takes only once it has
 * run it, and before that begins with the largest, which here are seldom the longest.
 */
export const longest = [
  // Builds a Debian where the cache has none yet.
  "packages/images/test/debian.test.ts",
  "packages/cli/test/start-server.test.ts",
  "packages/cli/test/cp.test.ts",
  "packages/engine-qemu/test/flatten-refused.test.ts",
  "packages/cli/test/completion-shells.test.ts",
  "packages/cli/test/boxes.test.ts",
  "packages/server/test/serve.test.ts",
  "packages/cli/test/terminal.test.ts",
  "packages/engine-qemu/test/flatten.test.ts",
  "packages/images/test/pull.test.ts",
  "packages/sdk/test/package.test.ts",
  "packages/core/test/fault-histories.test.ts",
  "packages/guest-agent/test/hostile/fuzz.test.ts",
  "packages/engine-testkit/test/conformance.test.ts",
  // Real boxes.
  "test/e2e/docs.test.ts",
  "packages/engine-qemu/test/memory.vm.test.ts",
  "packages/engine-qemu/test/conformance-programs.vm.test.ts",
  "packages/engine-qemu/test/conformance-lifecycle.vm.test.ts",
  "test/e2e/examples.test.ts",
  "test/e2e/python-sdk.test.ts",
  "test/e2e/dashboard.test.ts",
  "test/e2e/cp.test.ts",
  "packages/engine-qemu/test/conformance-surroundings.vm.test.ts",
  "packages/engine-qemu/test/templates.vm.test.ts",
  "packages/engine-qemu/test/boot.vm.test.ts",
  "test/e2e/storm.test.ts",
  "packages/engine-qemu/test/network.vm.test.ts",
] as const;

/** The order in which test files begin. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const found = longest.findIndex((file) => moduleId.endsWith(`/${file}`));
      return found === -1 ? longest.length : found;
    };
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}
