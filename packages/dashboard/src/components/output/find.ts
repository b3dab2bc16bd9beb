import { plainText } from "../../util/ansi.ts";
import type { LineStore } from "../../util/line-store.ts";

/** How many lines are looked at in one go: a few milliseconds. */
const portion = 20_000;

/** The places of the lines that have this in them, letters of either case; given over in portions, so that the page goes on meanwhile. */
export async function findLines(lines: LineStore, wanted: string, signal: AbortSignal): Promise<readonly number[]> {
  const needle = wanted.toLowerCase();
  const found: number[] = [];
  for (let index = 0; index < lines.count; index += 1) {
    if (index % portion === portion - 1) await new Promise((resolve) => setTimeout(resolve));
    if (signal.aborted) return [];
    const text = lines.line(index)?.text ?? "";
    if ((text.includes("\x1b") ? plainText(text) : text).toLowerCase().includes(needle)) found.push(index);
  }
  return found;
}
