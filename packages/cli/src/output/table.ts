import { oneLine, type Style, styled } from "./text.ts";
import { cut, pad, width, wrap } from "./width.ts";

export type Cell = string | { readonly text: string; readonly style: Style | undefined };

export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => Cell;
  /** The order in which columns give way to a terminal that is too narrow, the lowest first; one without stays as it is. */
  readonly yields?: number;
  /** It is cut down to this width first, and left out only when every other one has given way. */
  readonly minWidth?: number;
}

/** Columns two spaces apart, the last one as long as it likes; with `fit`, no wider than that where columns may give way. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], fit?: number): string {
  const laidOut = columns.map((column) => {
    const cells = rows.map((row) => normal(column.cell(row)));
    return { column, cells, width: Math.max(width(column.head), ...cells.map(({ text }) => width(text))) };
  });
  const shown = fit === undefined ? laidOut : fitted(laidOut, fit);
  const line = (cellOf: (column: LaidOut<Row>) => NormalCell) =>
    `${shown.map((column, index) => cellText(cellOf(column), column.width, index === shown.length - 1)).join(gap)}\n`;
  const head = line(({ column }) => ({ text: column.head, style: "bold" }));
  return head + rows.map((_, row) => line(({ cells }) => cells[row] ?? { text: "", style: undefined })).join("");
}

const gap = "  ";

interface LaidOut<Row> {
  readonly column: Column<Row>;
  readonly cells: readonly NormalCell[];
  readonly width: number;
}

function fitted<Row>(columns: readonly LaidOut<Row>[], fit: number): readonly LaidOut<Row>[] {
  let left = columns;
  const excess = () => left.reduce((sum, column) => sum + column.width, (left.length - 1) * gap.length) - fit;
  const yielding = columns
    .filter(({ column }) => column.yields !== undefined)
    .toSorted((a, b) => (a.column.yields ?? 0) - (b.column.yields ?? 0));
  const leaveOut = ({ column }: LaidOut<Row>) => {
    left = left.filter((one) => one.column !== column);
  };
  for (const one of yielding) {
    const over = excess();
    if (over <= 0) return left;
    const { minWidth } = one.column;
    if (minWidth === undefined) leaveOut(one);
    else {
      const narrower = Math.min(one.width, Math.max(minWidth, one.width - over));
      left = left.map((other) => (other.column === one.column ? { ...other, width: narrower } : other));
    }
  }
  for (const one of yielding) if (excess() > 0 && left.length > 1) leaveOut(one);
  return left;
}

/** `name   value` lines; with `fit`, values that are wider go on below themselves. */
export function fields(entries: readonly (readonly [string, Cell])[], fit?: number): string {
  const nameWidth = Math.max(...entries.map(([name]) => name.length));
  const indent = `\n${" ".repeat(nameWidth)}${gap}`;
  return entries
    .map(([name, value]) => {
      const { text, style } = normal(value);
      const lines = fit === undefined ? [text] : wrap(text, fit - nameWidth - gap.length);
      const shown = lines.map((line) => styled(style, line)).join(indent);
      return `${styled("dim", name.padEnd(nameWidth))}${gap}${shown}\n`;
    })
    .join("");
}

interface NormalCell {
  readonly text: string;
  readonly style: Style | undefined;
}

/** Of one line, and harmless. */
function normal(cell: Cell): NormalCell {
  const { text, style } = typeof cell === "string" ? { text: cell, style: undefined } : cell;
  return { text: oneLine(text), style };
}

function cellText({ text, style }: NormalCell, columns: number, isLast: boolean): string {
  const shown = width(text) > columns ? cut(text, columns) : text;
  const padding = isLast ? "" : pad(shown, columns).slice(shown.length);
  return styled(style, shown) + padding;
}
