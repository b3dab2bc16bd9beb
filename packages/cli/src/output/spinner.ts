import { styleText } from "node:util";
import { drawLive, hideLive, isUtf8Terminal, terminalColumns } from "./live-area.ts";
import { oneLine } from "./text.ts";

export interface Spinner extends Disposable {
  /** Replaces what is said beside it. */
  say(text: string): void;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const asciiFrames = ["|", "/", "-", "\\"];
const frameMs = 80;
/** Work that is done sooner needs no sign of life. */
const delayMs = 150;

const silent: Spinner = { say: () => undefined, [Symbol.dispose]: () => undefined };

/**
 * On a terminal's standard error only; it is gone when the work ends. Of our own, because those of the registry handle Ctrl-C themselves
 * and end the process before a box is removed.
 */
export function spin(text: string, options: { readonly json: boolean }): Spinner {
  if (options.json || !process.stderr.isTTY) return silent;
  const isUtf8 = isUtf8Terminal();
  let said = oneLine(text);
  const draw = () => {
    const line = isUtf8 ? said : said.replaceAll("…", "...");
    drawLive([`${spinnerMark(isUtf8)} ${line.slice(0, terminalColumns() - 3)}`]);
  };
  let timer = setTimeout(() => {
    draw();
    timer = setInterval(draw, frameMs);
  }, delayMs);
  return {
    say: (next) => {
      said = oneLine(next);
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      hideLive();
    },
  };
}

/** The frame that is due, so that it turns at the same speed however often it is drawn. */
export function spinnerMark(isUtf8: boolean): string {
  const turning = isUtf8 ? frames : asciiFrames;
  const frame = turning[Math.floor(performance.now() / frameMs) % turning.length] ?? "";
  return styleText("cyan", frame, { stream: process.stderr });
}
