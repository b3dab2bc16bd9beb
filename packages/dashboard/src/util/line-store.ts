import { plainStyle, styleBehind, type TextStyle } from "./ansi.ts";

export type StreamName = "stdout" | "stderr";

export interface Line {
  readonly text: string;
  readonly stream: StreamName;
  /** What the line before it on the same stream left on. */
  readonly style: TextStyle;
}

export interface LineStoreOptions {
  readonly maxLines: number;
  /** Of all lines together. */
  readonly maxCharacters: number;
  /** Longer ones are cut into several. */
  readonly maxLineLength: number;
}

const defaults: LineStoreOptions = { maxLines: 200_000, maxCharacters: 64 * 1024 * 1024, maxLineLength: 4_096 };

/** Faster than this nobody reads, and a program that writes without end leaves the page time for everything else. */
const gatherMs = 40;

/** The lines of a program's output, the last ones of very many: what is beyond the bounds goes from the beginning. */
export class LineStore {
  readonly #options: LineStoreOptions;
  /** `#first` of them are gone already: they are cut off now and then, not one by one. */
  #lines: Line[] = [];
  #first = 0;
  #characters = 0;
  #dropped = 0;
  #version = 0;
  readonly #styles: Record<StreamName, TextStyle> = { stdout: plainStyle, stderr: plainStyle };
  /** The line of each stream that has not ended yet, by its place in `#lines`. */
  readonly #open: Record<StreamName, number | undefined> = { stdout: undefined, stderr: undefined };
  readonly #listeners = new Set<() => void>();
  #told = false;

  constructor(options: Partial<LineStoreOptions> = {}) {
    this.#options = { ...defaults, ...options };
  }

  get count(): number {
    return this.#lines.length - this.#first;
  }

  /** How many went from the beginning. */
  get dropped(): number {
    return this.#dropped;
  }

  line(index: number): Line | undefined {
    return this.#lines[this.#first + index];
  }

  /** Another one for other content. */
  readonly version = (): number => this.#version;

  /** Told once for all that is appended within `gatherMs`. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  append(text: string, stream: StreamName): void {
    if (text === "") return;
    const parts = text.split("\n");
    for (const [index, part] of parts.entries()) {
      const isLast = index === parts.length - 1;
      if (!isLast || part !== "") this.#extend(part, stream);
      if (!isLast) this.#end(stream);
    }
    this.#bound();
    this.#changed();
  }

  #extend(part: string, stream: StreamName): void {
    let place = this.#openLine(stream);
    const before = place === undefined ? undefined : this.#lines[place];
    let style = before?.style ?? this.#styles[stream];
    let rest = overwritten((before?.text ?? "") + part);
    this.#characters -= before?.text.length ?? 0;
    for (;;) {
      const text = rest.slice(0, this.#options.maxLineLength);
      rest = rest.slice(text.length);
      place ??= this.#lines.length;
      this.#put(place, { text, stream, style });
      if (rest === "") break;
      style = styleBehind(text, style);
      place = undefined;
    }
    this.#open[stream] = place;
  }

  /** Unless it is gone from the beginning meanwhile. */
  #openLine(stream: StreamName): number | undefined {
    const at = this.#open[stream];
    return at === undefined || at < this.#first ? undefined : at;
  }

  #put(place: number, line: Line): void {
    this.#lines[place] = line;
    this.#characters += line.text.length;
  }

  #end(stream: StreamName): void {
    const at = this.#openLine(stream);
    const line = at === undefined ? undefined : this.#lines[at];
    if (line === undefined) this.#put(this.#lines.length, { text: "", stream, style: this.#styles[stream] });
    else this.#styles[stream] = styleBehind(line.text, line.style);
    this.#open[stream] = undefined;
  }

  #bound(): void {
    const { maxLines, maxCharacters } = this.#options;
    while (this.count > maxLines || (this.#characters > maxCharacters && this.count > 1)) {
      this.#characters -= this.#lines[this.#first]?.text.length ?? 0;
      this.#first += 1;
      this.#dropped += 1;
    }
    if (this.#first === 0 || (this.#first < 10_000 && this.#first < this.#lines.length / 2)) return;
    for (const stream of ["stdout", "stderr"] as const) {
      const at = this.#openLine(stream);
      this.#open[stream] = at === undefined ? undefined : at - this.#first;
    }
    this.#lines = this.#lines.slice(this.#first);
    this.#first = 0;
  }

  #changed(): void {
    this.#version += 1;
    if (this.#told) return;
    this.#told = true;
    setTimeout(() => {
      this.#told = false;
      for (const listener of this.#listeners) listener();
    }, gatherMs);
  }
}

/** A carriage return goes to the beginning of the line: of a progress bar's many states the last is left. */
function overwritten(text: string): string {
  const whole = text.endsWith("\r") ? text.slice(0, -1) : text;
  const from = whole.lastIndexOf("\r");
  return from === -1 ? text : text.slice(from + 1);
}
