/** A page that nobody sees gives its connections back after this: browsers have six of them to a server, for all their tabs. */
const hiddenMs = 30_000;

/** Calls `leave` once nobody has seen the page for a while. */
export function whenHidden(leave: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(leave, hiddenMs);
  };
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}

/** Resolves when somebody sees the page, or when the signal aborts. */
export async function untilSeen(signal: AbortSignal): Promise<void> {
  if (!document.hidden || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
  });
}

/** Has `work` done anew whenever the page is seen again; its signal aborts when it is not seen for a while, and when `signal` does. */
export async function whileSeen(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await untilSeen(signal);
    const visit = new AbortController();
    const stopWatching = whenHidden(() => visit.abort());
    try {
      await work(AbortSignal.any([signal, visit.signal]));
      if (!visit.signal.aborted) return;
    } finally {
      stopWatching();
    }
  }
}
