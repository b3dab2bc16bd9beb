/** Time, passed in so that tests can hold it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once that much time has passed, unless it is disposed of before. The process does not stay for it. */
  after(ms: number, callback: () => void): Disposable;
}

/** What `setTimeout` takes; more of it would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, callback) => {
    let timer: NodeJS.Timeout;
    const wait = (leftMs: number) => {
      const next = () => (leftMs > longestTimerMs ? wait(leftMs - longestTimerMs) : callback());
      timer = setTimeout(next, Math.min(leftMs, longestTimerMs)).unref();
    };
    wait(ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
