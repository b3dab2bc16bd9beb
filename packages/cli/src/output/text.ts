import { stripVTControlCharacters, styleText } from "node:util";

/**
 * What changes how the text around it looks: control characters, marks that turn the direction of writing around, the separators of lines
 * and paragraphs that are no line feeds, halves of surrogate pairs. Line feed and tab are looked at on their own.
 */
const misleading =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

/**
 * Whatever is not our own text goes through here or through `oneLine` on its way to a terminal: names, messages, what a box says. Escape
 * sequences go, other characters that mislead show as `\xNN` or `\u{NNNN}`.
 */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(misleading, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** Printable, and on one line, so that it can't pass for a line of ours. */
export function oneLine(text: string): string {
  return printable(text).replace(/[\n\t]/g, " ");
}

/** Printable, and on as many lines as it has; all but the first are further in, so that none passes for one of ours. */
export function indented(text: string): string {
  return printable(text).replace(/\n(?! {2})/g, "\n  ");
}

/** The same JSON for every parser, with what misleads a person at a terminal written as `\uNNNN`. */
export function jsonText(value: unknown, indent?: number): string {
  return escapedJson(JSON.stringify(value, undefined, indent));
}

/** In JSON, and in YAML's double quotes, where it means the same. Line feeds there are our own layout. */
export function escapedJson(json: string): string {
  return json.replace(misleading, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** `42s ago`, `3m ago`, `5h ago`, `12d ago`. */
export function age(timestamp: string, nowMs: number = Date.now()): string {
  return `${duration(nowMs - Date.parse(timestamp))} ago`;
}

/** `42s`, `3m`, `5h`, `12d`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** `4.2 MB`, in powers of 1000. */
export function bytes(count: number): string {
  let value = count;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 1000) return `${unit === "B" || value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} TB`;
}

export type Style = Parameters<typeof styleText>[0];

/** Coloured where standard output is a terminal that takes colours and NO_COLOR is not set. */
export function styled(style: Style | undefined, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return style === undefined ? text : styleText(style, text, { stream });
}

const statusStyles: Readonly<Record<string, Style>> = {
  running: "green",
  succeeded: "dim",
  failed: "red",
  timeout: "red",
  canceled: "yellow",
  creating: "yellow",
  stopped: "dim",
  error: "red",
};

export function statusStyle(status: string): Style | undefined {
  return statusStyles[status];
}
