import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

/** How often a process marks all of its heap, some 40 MB, while a gigabyte of buffers passes. */
function marks(prepare: string): number {
  const program = `
    import { constants, PerformanceObserver } from "node:perf_hooks";
    import { setImmediate as turn } from "node:timers/promises";
    ${prepare}
    globalThis.heap = Array.from({ length: 400_000 }, (_, n) => ({ n, text: [n] }));
    let marks = 0;
    new PerformanceObserver((list) => {
      marks += list.getEntries().filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR).length;
    }).observe({ entryTypes: ["gc"] });
    for (let n = 0; n < 16_384; n += 1) {
      Buffer.allocUnsafeSlow(65_536);
      if (n % 64 === 0) await turn();
    }
    // They are told a turn later.
    await turn();
    await turn();
    console.log(marks);`;
  return Number(execFileSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" }));
}

test("buffers that come and go have the heap marked seldom", () => {
  const module = new URL("../src/buffers.ts", import.meta.url).href;
  expect(marks(`import { countBuffersWithHeap } from ${JSON.stringify(module)}; countBuffersWithHeap();`)).toBeLessThan(
    3,
  );
});
