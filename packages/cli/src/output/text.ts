import { stripVTControlCharacters, styleText } from "node:util";

/** Text from a server or a box, safe for a terminal: escape sequences go, other control characters show as `\xNN`. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
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
