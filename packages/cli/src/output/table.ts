import { printable, type Style, styled } from "./text.ts";

export type Cell = string | { readonly text: string; readonly style: Style | undefined };

/** Columns two spaces apart, the last one as long as it likes. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [head.map((text) => ({ text, style: "bold" as const })), ...rows.map((row) => row.map(normal))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.text.length ?? 0)));
  return lines.map((line) => `${line.map((cell, column) => pad(cell, column, widths)).join("  ")}\n`).join("");
}

/** `name   value` lines. */
export function fields(entries: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries
    .map(([name, value]) => {
      const cell = normal(value);
      return `${styled("dim", name.padEnd(width))}  ${styled(cell.style, cell.text)}\n`;
    })
    .join("");
}

interface NormalCell {
  readonly text: string;
  readonly style: Style | undefined;
}

function normal(cell: Cell): NormalCell {
  const { text, style } = typeof cell === "string" ? { text: cell, style: undefined } : cell;
  return { text: printable(text).replaceAll("\n", " "), style };
}

function pad(cell: NormalCell, column: number, widths: readonly number[]): string {
  const isLast = column === widths.length - 1;
  const padding = isLast ? 0 : (widths[column] ?? 0) - cell.text.length;
  return styled(cell.style, cell.text) + " ".repeat(padding);
}
