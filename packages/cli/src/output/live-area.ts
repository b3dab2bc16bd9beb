import { stripVTControlCharacters } from "node:util";

/**
 * The last lines of the terminal behind standard error, drawn again and again: spinners and progress bars. Whatever else is written hides
 * them first (`hideLive`), and they come back with their next frame.
 */
let shown: readonly string[] = [];

/** Lines must be narrower than the terminal, and fewer than it has rows. */
export function drawLive(lines: readonly string[]): void {
  process.stderr.write(`${toTop()}${lines.map((line) => `${line}\u001b[K`).join("\n")}\u001b[J`);
  shown = lines;
}

export function hideLive(): void {
  if (shown.length === 0) return;
  const below = rowsShown() - 1;
  // Row by row: tmux keeps what one sequence clears on the whole screen, and that may be all there is.
  const up = below > 0 ? `\u001b[${below}A` : "";
  process.stderr.write(`${toTop()}\u001b[2K${"\u001b[B\u001b[2K".repeat(below)}${up}\r`);
  shown = [];
}

function toTop(): string {
  const above = rowsShown() - 1;
  return above > 0 ? `\r\u001b[${above}A` : "\r";
}

/** A terminal that was made narrower since has wrapped what was shown. */
function rowsShown(): number {
  const columns = terminalColumns();
  return shown.reduce((sum, line) => sum + Math.max(1, Math.ceil(visibleLength(line) / columns)), 0);
}

export function terminalColumns(): number {
  return process.stderr.columns || 80;
}

export function terminalRows(): number {
  return process.stderr.rows || 24;
}

/** What is shown here takes one column for each character. */
function visibleLength(line: string): number {
  return stripVTControlCharacters(line).length;
}

/** Whether the locale says that the terminal shows more than ASCII. */
export function isUtf8Terminal(env: NodeJS.ProcessEnv = process.env): boolean {
  return /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || "");
}
