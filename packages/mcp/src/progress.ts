import type { Call } from "./tool.ts";

/** Long enough to be quiet, and short enough for clients that give up a call which they hear nothing of. */
const intervalMs = 5_000;

/** Says something now and then for as long as a wait lasts. */
export function telling(progress: Call["progress"], message: () => string): Disposable {
  const beganMs = performance.now();
  const timer = setInterval(
    () => progress(`${message()}, ${Math.round((performance.now() - beganMs) / 1000)} s so far`),
    intervalMs,
  );
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
