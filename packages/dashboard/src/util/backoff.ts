/** What to wait before the attempt after so many failures, in ms: 0.5 s, doubled up to 15 s, with a fifth left to chance. */
export function backoffMs(failures: number, random = Math.random()): number {
  const base = Math.min(15_000, 500 * 2 ** Math.min(failures, 10));
  return Math.round(base * (0.9 + random * 0.2));
}

/** Resolves after so long, when the signal aborts, or when the page is told something that makes another attempt worthwhile. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wakers = ["online", "focus"] as const;
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      for (const name of wakers) window.removeEventListener(name, end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    for (const name of wakers) window.addEventListener(name, end);
  });
}
