import { oneLine } from "../output/text.ts";
import { createProgram } from "../program.ts";
import { readLine } from "./line.ts";
import { offer } from "./offer.ts";
import { forBash, forPowerShell, unquote } from "./quoting.ts";
import { isShell, type Shell } from "./shells.ts";

/**
 * `boxrun __complete SHELL WORD…`, which the shells' scripts call: what the last word can go on as, a line each, with its description
 * behind a tab. A line that begins with a tab says what the shell offers besides: `files` or `directories` of this host.
 * Whatever goes wrong, there is nothing to offer: a message would land in the line that is being typed.
 */
export async function complete([shell = "", ...words]: readonly string[]): Promise<void> {
  if (!isShell(shell)) return;
  try {
    process.stdout.write(await completions(shell, words, process.env));
  } catch {
    // Nothing to offer.
  }
}

async function completions(shell: Shell, words: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const raw = words.at(-1) ?? "";
  const meant = words.map((word, index) => meaning(shell, word, index === words.length - 1));
  const word = meant.at(-1) ?? "";
  const line = await readLine(createProgram(false), meant);
  const { candidates, hostPaths } = await offer(line, env);
  const lines = candidates
    .map((one) => ({ ...one, word: `${line.before}${one.word}` }))
    .filter((one) => one.word.startsWith(word) && !hasControls(one.word))
    .map(({ word: text, description }) => {
      const inserted = insertion(shell, text, raw, env);
      return description === undefined
        ? `${inserted}\n`
        : `${inserted}\t${oneLine(description).replace(/\s+/g, " ")}\n`;
    });
  return `${lines.join("")}${hostPaths === undefined ? "" : `\t${hostPaths}\n`}`;
}

/** A word as its shell hands it over. zsh has taken the quotes away. */
function meaning(shell: Shell, word: string, isLast: boolean): string {
  if (shell === "powershell") return isLast ? word.slice(1) : word;
  return shell === "zsh" ? word : unquote(word).text;
}

/** zsh and fish quote by themselves. */
function insertion(shell: Shell, text: string, raw: string, env: NodeJS.ProcessEnv): string {
  if (shell === "bash") return forBash(text, raw, env.COMP_WORDBREAKS ?? "");
  return shell === "powershell" ? forPowerShell(text) : text;
}

/** A file's name may have a line break in it, and worse. */
function hasControls(text: string): boolean {
  return oneLine(text) !== text;
}
