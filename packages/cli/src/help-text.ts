import { Help } from "commander";

/** Wider than this is hard to read. */
const widestColumns = 120;
/** In columns; where there is less room, lines are the terminal's to break. */
export const minWidthToWrap = 20;
/** Of what is no terminal: commander's own. */
const usualColumns = 80;

/** Paragraphs as wide as the terminal; indented lines, which are examples and tables, as they are. */
export function flow(text: string, columns: number = usualColumns): string {
  const help = Object.assign(new Help(), { minWidthToWrap });
  const width = Math.min(columns, widestColumns);
  return text.replace(/^\S.*(?:\n\S.*)*$/gm, (paragraph) => help.boxWrap(paragraph.replaceAll("\n", " "), width));
}
