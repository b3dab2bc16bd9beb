import type { Argument, Option } from "commander";
import type { Verb } from "../verb.ts";

/** A command line as far as it has been typed, and what the word at its end stands for. */
export interface Line {
  readonly verb: Verb;
  /** Before the last word. */
  readonly operands: readonly string[];
  /** Values that were given, by the option's attribute name; of the verb and of all above it. */
  readonly options: ReadonlyMap<string, string>;
  /** The last word, without the `--option=` before a value. */
  readonly word: string;
  /** What stands before `word` in the last word. */
  readonly before: string;
  readonly place:
    | { readonly kind: "verb" }
    | { readonly kind: "option" }
    | { readonly kind: "value"; readonly of: Option | Argument }
    | { readonly kind: "nothing" };
}

/** Reads `words`, what stands behind `boxrun`; the last one, maybe empty, is being typed. Loads the files of the verbs in it. */
export async function readLine(program: Verb, words: readonly string[]): Promise<Line> {
  const isHelp = words[0] === "help" && words.length > 1;
  const given = isHelp ? words.slice(1) : words;
  const word = given.at(-1) ?? "";
  const state = await readWords(program, given.slice(0, -1));
  const { verb, operands, options } = state;
  const at = (place: Line["place"], text = word): Line => {
    return { verb, operands, options, word: text, before: word.slice(0, word.length - text.length), place };
  };
  if (state.isLost) return at({ kind: "nothing" });
  if (state.awaitsValue !== undefined) return at({ kind: "value", of: state.awaitsValue });
  if (!state.optionsEnded && word.startsWith("-")) {
    const split = word.startsWith("--") ? word.indexOf("=") : -1;
    if (split === -1) return at({ kind: "option" });
    const option = verb.options.find(({ long }) => long === word.slice(0, split));
    return option === undefined || !(option.required || option.optional)
      ? at({ kind: "nothing" })
      : at({ kind: "value", of: option }, word.slice(split + 1));
  }
  if (verb.verbs.length > 0) return at({ kind: operands.length === 0 ? "verb" : "nothing" });
  const argument = verb.registeredArguments[operands.length] ?? lastVariadic(verb);
  return argument === undefined || isHelp ? at({ kind: "nothing" }) : at({ kind: "value", of: argument });
}

interface State {
  verb: Verb;
  operands: string[];
  readonly options: Map<string, string>;
  /** The option whose value the next word is. */
  awaitsValue: Option | undefined;
  optionsEnded: boolean;
  /** There is a verb in it that there is not. */
  isLost: boolean;
}

async function readWords(program: Verb, words: readonly string[]): Promise<State> {
  const state: State = {
    verb: program,
    operands: [],
    options: new Map(),
    awaitsValue: undefined,
    optionsEnded: false,
    isLost: false,
  };
  for (const word of words) {
    if (state.awaitsValue !== undefined) {
      state.options.set(state.awaitsValue.attributeName(), word);
      state.awaitsValue = undefined;
    } else if (state.optionsEnded) state.operands.push(word);
    else if (word === "--") state.optionsEnded = true;
    else if (word.startsWith("-") && word.length > 1) readOption(state, word);
    else await readOperand(state, word);
  }
  return state;
}

async function readOperand(state: State, word: string): Promise<void> {
  const { verb, operands } = state;
  const below =
    operands.length === 0 ? verb.verbs.find((one) => one.name() === word || one.aliases().includes(word)) : undefined;
  if (below !== undefined) {
    await below.load();
    state.verb = below;
    return;
  }
  operands.push(word);
  if (verb.verbs.length > 0) state.isLost = true;
  // The program's own options come next.
  if (verb.isProgramFollowing && operands.length === 2) state.optionsEnded = true;
}

function readOption(state: State, word: string): void {
  const { options } = state.verb;
  if (word.startsWith("--")) {
    const [name = "", ...value] = word.split("=");
    const option = options.find(({ long }) => long === name);
    if (value.length > 0 && option !== undefined) state.options.set(option.attributeName(), value.join("="));
    else if (option?.required) state.awaitsValue = option;
    return;
  }
  for (let at = 1; at < word.length; at += 1) {
    const option = options.find(({ short }) => short === `-${word[at]}`);
    if (!option?.required) continue;
    if (at === word.length - 1) state.awaitsValue = option;
    else state.options.set(option.attributeName(), word.slice(at + 1));
    return;
  }
}

function lastVariadic(verb: Verb): Argument | undefined {
  const last = verb.registeredArguments.at(-1);
  return last?.variadic ? last : undefined;
}
