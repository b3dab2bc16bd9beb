import { defineConfig } from "vitest/config";

/**
 * `unit`: everything without a VM, in parallel. `vm`: real microVMs through engine and server, one file at a time, because
 * two cores emulate slowly and every test waits for events rather than for time.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["packages/*/test/**/*.test.ts", "tools/test/**/*.test.ts"],
          exclude: ["**/*.vm.test.ts"],
          testTimeout: 120_000,
          // Vitest leaves one core to others; most of these tests wait for child processes.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "vm",
          include: ["packages/*/test/**/*.vm.test.ts", "test/e2e/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
