/**
 * What programs write to a terminal, as styled text. Colours and weights (SGR) are understood; every other sequence (titles, the clipboard, hyperlinks,
 * the cursor) is left out, whole: nothing that a box writes does anything here.
 */

/** An index of the palette (0 to 255), or a colour as CSS has it. `undefined`: the page's own. */
type Colour = number | `rgb(${string})` | undefined;

export interface TextStyle {
  readonly foreground: Colour;
  readonly background: Colour;
  readonly bold: boolean;
  readonly faint: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly struck: boolean;
  readonly inverse: boolean;
}

export interface Span {
  readonly text: string;
  readonly style: TextStyle;
}

export const plainStyle: TextStyle = {
  foreground: undefined,
  background: undefined,
  bold: false,
  faint: false,
  italic: false,
  underline: false,
  struck: false,
  inverse: false,
};

/**
 * One sequence: CSI …, a string (OSC, DCS, SOS, PM, APC) with its end or up to that of the text, or ESC and what belongs to it. A terminal's other control
 * characters are in it too, but for the tab.
 */
const sequences =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0a-\x1f\x7f\x80-\x9f]/g;

/** One line, from the style that the line before it ended in. */
export function parseLine(
  line: string,
  start: TextStyle,
): { readonly spans: readonly Span[]; readonly end: TextStyle } {
  const spans: Span[] = [];
  let style = start;
  let from = 0;
  const text = (until: number) => {
    if (until > from) spans.push({ text: line.slice(from, until), style });
  };
  for (const match of line.matchAll(sequences)) {
    text(match.index);
    from = match.index + match[0].length;
    if (match[2] === "m" && !/[<-?]/.test(match[1] ?? "")) style = withSgr(style, match[1] ?? "");
  }
  text(line.length);
  return { spans, end: style };
}

/** The line without its styles. */
export function plainText(line: string): string {
  return line.replace(sequences, "");
}

/** The style behind a line; quick for the many lines that have none. */
export function styleBehind(line: string, start: TextStyle): TextStyle {
  return line.includes("\x1b") ? parseLine(line, start).end : start;
}

function withSgr(start: TextStyle, parameters: string): TextStyle {
  let style = start;
  const codes = parameters.split(/[;:]/).map((text) => (text === "" ? 0 : Number(text)));
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 38 || code === 48) {
      const { colour, used } = extendedColour(codes, index + 1);
      if (colour !== undefined) style = { ...style, [code === 38 ? "foreground" : "background"]: colour };
      index += used;
    } else style = withCode(style, code);
  }
  return style;
}

const switches: Readonly<Record<number, Partial<TextStyle>>> = {
  1: { bold: true },
  2: { faint: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { struck: true },
  21: { underline: true },
  22: { bold: false, faint: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { struck: false },
  39: { foreground: undefined },
  49: { background: undefined },
};

function withCode(style: TextStyle, code: number): TextStyle {
  if (code === 0) return plainStyle;
  if (code >= 30 && code <= 37) return { ...style, foreground: code - 30 };
  if (code >= 40 && code <= 47) return { ...style, background: code - 40 };
  if (code >= 90 && code <= 97) return { ...style, foreground: code - 82 };
  if (code >= 100 && code <= 107) return { ...style, background: code - 92 };
  return { ...style, ...switches[code] };
}

const isByte = (value: number | undefined): value is number => value !== undefined && value >= 0 && value <= 255;

/** `5;n` or `2;r;g;b`, and how many codes that took. */
function extendedColour(codes: readonly number[], at: number): { readonly colour: Colour; readonly used: number } {
  const [kind, one, two, three] = codes.slice(at, at + 4);
  if (kind === 5) return { colour: isByte(one) ? one : undefined, used: 2 };
  if (kind === 2) {
    const isColour = isByte(one) && isByte(two) && isByte(three);
    return { colour: isColour ? `rgb(${one} ${two} ${three})` : undefined, used: 4 };
  }
  return { colour: undefined, used: 0 };
}

const cube = [0, 95, 135, 175, 215, 255] as const;

/** As CSS has it: the first 16 are the page's own, the rest a cube of 216 and 24 greys. */
export function cssColour(colour: Exclude<Colour, undefined>): string {
  if (typeof colour === "string") return colour;
  if (colour < 16) return `var(--ansi-${colour})`;
  if (colour >= 232) {
    const grey = 8 + 10 * (colour - 232);
    return `rgb(${grey} ${grey} ${grey})`;
  }
  const index = colour - 16;
  return `rgb(${cube[Math.floor(index / 36)]} ${cube[Math.floor(index / 6) % 6]} ${cube[index % 6]})`;
}
