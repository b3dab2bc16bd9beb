/** How the shells write what is not a plain word. A candidate may be a file's name from a box, thus hostile: what is inserted must stay one word. */

/** What a half-typed word of a POSIX-like shell means, and the quote that is still open in it. */
export interface HalfWord {
  readonly text: string;
  readonly openQuote: "'" | '"' | undefined;
  /** What `text` is up to the open quote. */
  readonly beforeQuote: string;
}

export function unquote(raw: string): HalfWord {
  let text = "";
  let openQuote: HalfWord["openQuote"];
  let beforeQuote = "";
  for (let at = 0; at < raw.length; at += 1) {
    const character = raw.charAt(at);
    const next = raw.charAt(at + 1);
    if (character === "\\" && openQuote !== "'" && (openQuote === undefined || /["\\$`]/.test(next))) {
      text += next;
      at += 1;
    } else if (openQuote === undefined && (character === "'" || character === '"')) {
      openQuote = character;
      beforeQuote = text;
    } else if (character === openQuote) openQuote = undefined;
    else text += character;
  }
  return { text, openQuote, beforeQuote };
}

/**
 * What bash is to put in the place of `raw`: readline takes a word to begin behind its open quote, else behind the last of
 * COMP_WORDBREAKS in it (`:` and `=` are among them), and wants the rest of the candidate from there on.
 */
export function forBash(candidate: string, raw: string, wordBreaks: string): string {
  const { openQuote, beforeQuote } = unquote(raw);
  if (openQuote === "'") return candidate.slice(beforeQuote.length).replaceAll("'", "'\\''");
  if (openQuote === '"') return candidate.slice(beforeQuote.length).replace(/["\\$`]/g, "\\$&");
  const breaks = [...":="].filter((character) => wordBreaks.includes(character));
  const typed = [...unquoted(raw)].filter((character) => breaks.includes(character)).length;
  const quoted = escaped(candidate);
  let from = 0;
  for (let count = 0, at = 0; count < typed && at < quoted.length; at += 1) {
    if (quoted.charAt(at) === "\\") at += 1;
    else if (breaks.includes(quoted.charAt(at))) {
      count += 1;
      from = at + 1;
    }
  }
  return quoted.slice(from);
}

/** For PowerShell, whose own quote is doubled in itself. */
export function forPowerShell(candidate: string): string {
  return /^[\w./:=+-]+$/.test(candidate) ? candidate : `'${candidate.replace(/['\u2018-\u201b]/g, "$&$&")}'`;
}

function escaped(candidate: string): string {
  return candidate.replace(/[^\w./:=@%+,\u0080-\uffff-]/g, "\\$&");
}

/** What is in no quotes and behind no backslash. */
function unquoted(raw: string): string {
  return raw.replace(/\\.|"(\\.|[^"\\])*"?|'[^']*'?/gs, "");
}
