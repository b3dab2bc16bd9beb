/** The terminal's other screen, drawn anew in place; what was on the terminal before is back afterwards, however the process ends. */
export class LiveScreen implements Disposable {
  readonly #draw: (size: { readonly columns: number; readonly rows: number }) => string;
  readonly #redraw = () => this.redraw();
  readonly #timer: NodeJS.Timeout;
  #isLeft = false;

  /** `draw` gives the lines for a terminal of that size; asked again every second, because ages grow. */
  constructor(draw: (size: { readonly columns: number; readonly rows: number }) => string) {
    this.#draw = draw;
    process.stdout.write(enter);
    process.on("exit", this.#leave);
    process.stdout.on("resize", this.#redraw);
    this.#timer = setInterval(this.#redraw, 1000);
  }

  redraw(): void {
    const { columns = 80, rows = 24 } = process.stdout;
    const lines = this.#draw({ columns, rows }).trimEnd().split("\n");
    const shown = lines.length <= rows ? lines : [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more`];
    // Each line over the one that stands there, so that nothing flickers. Cleared before it is written: behind a line as wide as the
    // terminal the cursor stands on its last character.
    const drawn = shown.map((line, index) => (index === shown.length - 1 ? clearRest : clearLine) + line);
    process.stdout.write(`${beginUpdate}${home}${drawn.join("\r\n")}${endUpdate}`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    process.stdout.off("resize", this.#redraw);
    process.off("exit", this.#leave);
    this.#leave();
  }

  readonly #leave = () => {
    if (!this.#isLeft) process.stdout.write(leave);
    this.#isLeft = true;
  };
}

const enter = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const leave = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const home = "\u001b[H";
const clearLine = "\u001b[2K";
/** From here to the end of the screen. */
const clearRest = "\u001b[J";
/** Terminals that know it show the whole update at once; others pass it over. */
const beginUpdate = "\u001b[?2026h";
const endUpdate = "\u001b[?2026l";
