import measure from "fast-string-truncated-width";

/** Columns of a terminal that the text takes: two for wide characters and emoji, none for escape sequences. */
export function width(text: string): number {
  return measure(text).width;
}

const ellipsis = "…";

/** At most `columns` wide; what is cut off is shown by `…`. Of text without escape sequences. */
export function cut(text: string, columns: number): string {
  const { index, ellipsed } = measure(text, { limit: columns, ellipsis });
  return `${text.slice(0, index)}${ellipsed ? ellipsis : ""}`;
}

export function pad(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - width(text)));
}

/** Lines of at most so many columns, broken between words; a word that is wider has a line of its own, and is left to the terminal. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && width(longer) > columns) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}
