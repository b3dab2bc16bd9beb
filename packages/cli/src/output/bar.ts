import { styleText } from "node:util";
import { spinnerMark } from "./spinner.ts";
import { bytes } from "./text.ts";

/** What a terminal has room for. */
export interface Canvas {
  readonly columns: number;
  readonly rows: number;
  /** Else ASCII. */
  readonly isUtf8: boolean;
}

export interface Amount {
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number | undefined;
}

const widestBar = 40;
const narrowestBar = 6;

/** `━━━━━━━━╸───────`, of exactly so many columns. */
export function bar(fraction: number, width: number, { isUtf8 }: Pick<Canvas, "isUtf8">): string {
  const done = Math.max(0, Math.min(1, fraction)) * width;
  const full = Math.floor(done);
  if (!isUtf8) return "#".repeat(full) + "-".repeat(width - full);
  const half = full < width && done - full >= 0.5 ? "╸" : "";
  const rest = "─".repeat(width - full - half.length);
  return (
    styleText("cyan", "━".repeat(full) + half, { stream: process.stderr }) +
    styleText("dim", rest, { stream: process.stderr })
  );
}

/** `LABEL ━━━━━━╸────  34 %  412 MB of 1.2 GB  85 MB/s  9 s left`; the bar takes the room that is left. */
export function amountLine(label: string, amount: Amount, canvas: Canvas): string {
  const { doneBytes, totalBytes } = amount;
  const room = canvas.columns - 1;
  if (totalBytes === undefined || totalBytes === 0) {
    const text = [label, bytes(doneBytes), ...rate(amount)].join("  ");
    return `${spinnerMark(canvas.isUtf8)} ${text.slice(0, room - 2)}`;
  }
  const fraction = Math.min(1, doneBytes / totalBytes);
  const percent = `${String(Math.floor(fraction * 100)).padStart(3)} %`;
  const sizes = `${bytes(doneBytes).padStart(7)} of ${bytes(totalBytes)}`;
  // With the rest at its widest, so that the bar keeps its length.
  const fixed = `${label}  ${percent}  ${sizes}`.length + "  100 MB/s  59 min 59 s left".length;
  const width = Math.min(widestBar, room - fixed - 1);
  const text = [percent, sizes, ...rate(amount)].join("  ");
  if (width < narrowestBar) return `${label} ${text}`.slice(0, room);
  return `${label} ${bar(fraction, width, canvas)} ${text}`.replace(/\s+$/, "");
}

function rate({ doneBytes, totalBytes, bytesPerSecond }: Amount): string[] {
  if (bytesPerSecond === undefined) return [];
  const perSecond = `${bytes(Math.max(0, bytesPerSecond))}/s`;
  if (totalBytes === undefined || doneBytes >= totalBytes || bytesPerSecond < 1) return [perSecond];
  return [perSecond, `${duration((totalBytes - doneBytes) / bytesPerSecond)} left`];
}

/** `9 s`, `2 min 5 s`, `1 h 3 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const hours = Math.floor(whole / 3600);
  return hours < 100 ? `${hours} h ${Math.floor((whole % 3600) / 60)} min` : "days";
}
