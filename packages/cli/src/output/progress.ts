import type { Canvas } from "./bar.ts";
import { duration } from "./bar.ts";
import { drawLive, hideLive, isUtf8Terminal, terminalColumns, terminalRows } from "./live-area.ts";
import { note } from "./streams.ts";
import { bytes } from "./text.ts";

/** What is done sooner needs no bar. */
const delayMs = 1000;
const redrawMs = 100;

export interface Progress extends Disposable {
  /** Takes it away and, where it was shown, leaves a line: `copied 1.2 GB in 14 s, 85 MB/s`. */
  finish(what: string, doneBytes: number): void;
}

const silent: Progress = { finish: () => undefined, [Symbol.dispose]: () => undefined };

/**
 * Calls `draw` for what to show, ten times a second, on a terminal's standard error only. Of our own for the reason that the spinner is:
 * those of the registry listen for signals themselves, to give the cursor back.
 */
export function showProgress(
  draw: (canvas: Canvas) => readonly string[],
  options: { readonly json: boolean },
): Progress {
  if (options.json || !process.stderr.isTTY) return silent;
  const startMs = performance.now();
  let wasShown = false;
  const redraw = () => {
    wasShown = true;
    drawLive(draw({ columns: terminalColumns(), rows: terminalRows(), isUtf8: isUtf8Terminal() }));
  };
  let timer = setTimeout(() => {
    redraw();
    timer = setInterval(redraw, redrawMs);
  }, delayMs);
  const stop = () => {
    clearInterval(timer);
    hideLive();
  };
  return {
    finish: (what, doneBytes) => {
      stop();
      const seconds = (performance.now() - startMs) / 1000;
      if (wasShown) note(`${what} ${bytes(doneBytes)} in ${duration(seconds)}, ${bytes(doneBytes / seconds)}/s\n`);
    },
    [Symbol.dispose]: stop,
  };
}
