import { Worker } from "node:worker_threads";

/** A thread that ends the process, saying why, when the event loop has stood still for so long: no test could tell. */
const watchdog = `
const { workerData: { beats, limitMs, what } } = require("node:worker_threads");
const count = new Int32Array(beats);
let last = -1, sinceMs = Date.now();
setInterval(() => {
  const now = Atomics.load(count, 0);
  if (now !== last) { last = now; sinceMs = Date.now(); return; }
  if (Date.now() - sinceMs < limitMs) return;
  require("node:fs").writeSync(2, "the event loop has stood still for " + limitMs / 1000 + " s: " + what + "\\n");
  process.kill(process.pid, "SIGKILL");
}, 200);
`;

/** Measures how long the event loop stands still at most, in milliseconds, until it is disposed of. */
export function watchEventLoop(what: string, limitMs: number): AsyncDisposable & { readonly worstMs: () => number } {
  const beats = new SharedArrayBuffer(4);
  const count = new Int32Array(beats);
  const worker = new Worker(watchdog, { eval: true, workerData: { beats, limitMs, what } });
  let lastMs = performance.now();
  let worstMs = 0;
  const timer = setInterval(() => {
    Atomics.add(count, 0, 1);
    const now = performance.now();
    worstMs = Math.max(worstMs, now - lastMs);
    lastMs = now;
  }, 20);
  return {
    worstMs: () => worstMs,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await worker.terminate();
    },
  };
}
