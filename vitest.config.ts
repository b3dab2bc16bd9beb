import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { defaultCacheDir } from "./packages/host/src/cache-dir.ts";
import { LongestFirst } from "./tools/test-run/longest-first.ts";

const boxliteTests = "**/*.boxlite.test.ts";
/** Boxes on QEMU in every way to a VM that there is: what has to hold under KVM as well. */
const kvmTests = "packages/engine-qemu/test/templates.vm.test.ts";

/**
 * Where a run has to tell whether a change is good, a test that fails is run once more: the machines are shared and noisy. What passes only then
 * is named at the end of the run (UNSTEADY), because it races and wants mending.
 */
const retry = process.env.CI === "true" ? 1 : 0;

/**
 * For vitest's workers, and the hundreds of Node.js processes that tests start (servers, helpers, the command): what one of them has compiled and stripped of types, the next
 * does not again. It is the cache of `boxrun` itself.
 */
const env = { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(defaultCacheDir(), "compile") };
/**
 * For servers and engines of the tests with real microVMs: a run has boxes of more shapes and images than the templates of which fit into what a server keeps by default, and each
 * run would make all of them anew.
 */
const templates = { BOXRUN_TEMPLATE_CACHE_MB: process.env.BOXRUN_TEMPLATE_CACHE_MB ?? "4096" };
/**
 * A worker takes one file after the other: loading the modules anew for each is a fifth of what the unit tests cost. So a file leaves nothing behind that the next one would
 * notice, in the environment, on the process or in a module.
 */
const isolate = false;
const setupFiles = [fileURLToPath(new URL("tools/test-run/keep-compiled.ts", import.meta.url))];

/**
 * `unit`: everything without a VM. `vm`: real microVMs through engine and server.
 * `boxlite`: real BoxLite boxes, which need a /dev/kvm that works; `npm run test:boxlite` sees to that (docs/testing-boxlite.md). `kvm`: some of `vm` in the same place,
 * which fail where boxes on QEMU do not run with KVM. Several
 * files run at a time also where vitest would run one: a VM boots on one core, and most tests wait for child processes and VMs. Projects that run at once run one after the
 * other.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    // Node.js imports the modules itself, as it does outside of tests; Vite would transform each of them anew in every run. No test mocks modules, which is what this can't.
    experimental: { viteModuleRunner: false, nodeLoader: false },
    projects: [
      {
        test: {
          name: "unit",
          isolate,
          sequence: { groupOrder: 0 },
          env,
          setupFiles,
          include: ["packages/*/test/**/*.test.ts", "tools/test/**/*.test.ts"],
          exclude: ["**/*.vm.test.ts", boxliteTests],
          retry,
          testTimeout: 120_000,
          // Half of the time is waiting, for processes that are told to be slow, for terminals, for deadlines.
          maxWorkers: 4,
        },
      },
      {
        test: {
          name: "vm",
          isolate,
          sequence: { groupOrder: 1 },
          env: { ...env, ...templates },
          setupFiles,
          include: ["packages/*/test/**/*.vm.test.ts", "test/e2e/**/*.test.ts"],
          exclude: [boxliteTests],
          retry,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 3,
        },
      },
      {
        test: {
          // From the packed packages on clean Debian systems: tools/install-test.
          name: "install",
          sequence: { groupOrder: 2 },
          include: ["tools/install-test/**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          maxWorkers: 1,
        },
      },
      {
        test: {
          name: "boxlite",
          sequence: { groupOrder: 3 },
          env,
          setupFiles,
          include: ["packages/*/test/**/*.boxlite.test.ts", "test/e2e/**/*.boxlite.test.ts"],
          retry,
          // CPUs that are emulated twice over: a box boots in 10 to 30 s.
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 3,
        },
      },
      {
        test: {
          name: "kvm",
          sequence: { groupOrder: 4 },
          env: { ...env, ...templates, BOXRUN_TEST_ACCELERATOR: "kvm" },
          setupFiles,
          include: [kvmTests],
          retry,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 1,
        },
      },
    ],
  },
});
