import { styleText } from "node:util";

export interface Spinner extends Disposable {
  /** Replaces what is said beside it. */
  say(text: string): void;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 80;
/** Work that is done sooner needs no sign of life. */
const delayMs = 150;
const clearLine = "\r\u001b[K";

const silent: Spinner = { say: () => undefined, [Symbol.dispose]: () => undefined };
let isShown = false;

/**
 * On a terminal's standard error only; it is gone when the work ends. Of our own, because those of the registry handle Ctrl-C themselves
 * and end the process before a box is removed.
 */
export function spin(text: string, options: { readonly json: boolean }): Spinner {
  if (options.json || !process.stderr.isTTY) return silent;
  let said = text;
  let frame = 0;
  const draw = () => {
    frame = (frame + 1) % frames.length;
    const width = process.stderr.columns || 80;
    const mark = styleText("cyan", frames[frame] ?? "", { stream: process.stderr });
    process.stderr.write(`${clearLine}${mark} ${said.slice(0, width - 3)}`);
    isShown = true;
  };
  let timer = setTimeout(() => {
    draw();
    timer = setInterval(draw, frameMs);
  }, delayMs);
  return {
    say: (next) => {
      said = next;
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      hideSpinner();
    },
  };
}

/** Makes room for other output; the spinner comes back with its next frame. */
export function hideSpinner(): void {
  if (!isShown) return;
  process.stderr.write(clearLine);
  isShown = false;
}
