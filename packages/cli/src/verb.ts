import { type AddHelpTextContext, type AddHelpTextPosition, type Argument, Command, type Option } from "commander";
import { type Completer, usualCompleter } from "./completion/completer.ts";
import { meaningOf, meaningOfOption, suggestionFor } from "./habits.ts";
import { flow } from "./help-text.ts";

declare module "commander" {
  interface Command {
    /** Not in its types: ends with the option that it suggests. */
    unknownOption(flag: string): void;
  }
}

/** A verb's file: `define` adds its arguments, options, help and action. */
export interface VerbModule {
  readonly define: (command: Verb) => void;
}

type Rewrite = (words: readonly string[], options: readonly Option[]) => string[];

/** A verb whose options, arguments and action are defined when it is called for: only its file is loaded. */
export class Verb extends Command {
  #programFollows = false;
  #defaultVerb: string | undefined;
  readonly #rewrites: Rewrite[] = [];
  #load: (() => Promise<VerbModule>) | undefined;
  readonly #verbs: Verb[] = [];
  readonly #completers = new Map<string, Completer>();

  override createCommand(name?: string): Verb {
    return new Verb(name);
  }

  /** A verb below this one, whose file is loaded when it is called for. */
  addVerb(name: string, load: () => Promise<VerbModule>, options: { readonly hidden?: boolean } = {}): Verb {
    const verb = this.createCommand(name).copyInheritedSettings(this);
    verb.#load = load;
    this.addCommand(verb, options);
    this.#verbs.push(verb);
    return verb;
  }

  /** The verbs below this one, once it is loaded. */
  get verbs(): readonly Verb[] {
    return this.#verbs;
  }

  /** Defines its arguments, options and verbs, once. */
  async load(): Promise<void> {
    const load = this.#load;
    this.#load = undefined;
    if (load !== undefined) (await load()).define(this);
  }

  /** What Tab offers for the latest argument, or for the value of `option` (`--workdir`), where that is not what its name says. */
  completes(completer: Completer, option?: string): this {
    const name = option ?? this.registeredArguments.at(-1)?.name();
    if (name === undefined)
      throw new TypeError(`${this.name()}: completes() goes behind the argument that it is about`);
    this.#completers.set(name, completer);
    return this;
  }

  /** What Tab offers there; `undefined` if nobody has said so, which a test does not let pass. */
  completerOf(place: Argument | Option): Completer | undefined {
    const isOption = "flags" in place;
    const declared = this.#completers.get(isOption ? (place.long ?? "") : place.name());
    if (declared !== undefined || place.argChoices !== undefined) return declared ?? "choices";
    return isOption ? usualCompleter(place.long, valueName(place)) : usualCompleter(undefined, place.name());
  }

  /** Whether what comes behind the first operand is a program. */
  get isProgramFollowing(): boolean {
    return this.#programFollows;
  }

  /** The operands behind the first one are a program with options of its own: `exec -e A=b dev -i -- ls -l`. */
  programFollows(): this {
    this.#programFollows = true;
    return this;
  }

  /** Words that meant something else once, or elsewhere, as they are to be read here. */
  rewritesWords(rewrite: Rewrite): this {
    this.#rewrites.push(rewrite);
    return this;
  }

  /** Commander's own hook: suggests by spelling. What people mean by a word that is none of ours is told first. */
  unknownCommand(): void {
    const [word = ""] = this.args;
    const meant = meaningOf(this.parent === null ? word : `${this.name()} ${word}`);
    if (meant === undefined) {
      const suggestion = suggestionFor(
        word,
        this.#verbs.map((verb) => verb.name()),
      );
      const near = suggestion === undefined ? "" : `\n(Did you mean ${suggestion}?)`;
      this.error(`error: unknown command '${word}'${near}`, { code: "commander.unknownCommand" });
    }
    this.error(`error: there is no command '${word}': ${meant}`, { code: "commander.unknownCommand" });
  }

  /** As above. */
  override unknownOption(flag: string): void {
    const [name = ""] = flag.split("=");
    const meant = meaningOfOption(name);
    if (meant === undefined) super.unknownOption(flag);
    this.error(`error: there is no option '${name}': ${meant}`, { code: "commander.unknownOption" });
  }

  /** Paragraphs of `text` flow into the terminal's width. */
  override addHelpText(position: AddHelpTextPosition, text: string | ((context: AddHelpTextContext) => string)): this {
    const { getOutHelpWidth, getErrHelpWidth } = this.configureOutput();
    return super.addHelpText(position, (context) => {
      const columns = (context.error ? getErrHelpWidth : getOutHelpWidth)?.();
      return flow(typeof text === "string" ? text : text(context), columns);
    });
  }

  /** What a lone `images` means. Commander's own default would also take what is mistyped for the default's argument. */
  defaultVerb(name: string): this {
    this.#defaultVerb = name;
    return this;
  }

  override parseOptions(argv: string[]): ReturnType<Command["parseOptions"]> {
    const words = this.#rewrites.reduce((read, rewrite) => rewrite(read, this.options), argv);
    const parsed = super.parseOptions(this.#programFollows ? separateProgram(this.options, words) : words);
    const [operand] = parsed.operands;
    if (operand === undefined) {
      // `images -q` means `images ls -q`; `images --help` the help of all.
      const isLone = parsed.unknown.every(isNoHelpOption);
      return isLone && this.#defaultVerb !== undefined ? { ...parsed, operands: [this.#defaultVerb] } : parsed;
    }
    // Whoever asks for the help of a mistyped verb would get ours, and not be told.
    const isUnknownVerb = this.#verbs.length > 0 && !this.#verbs.some((verb) => verb.name() === operand);
    return isUnknownVerb && operand !== "help" ? { ...parsed, unknown: parsed.unknown.filter(isNoHelpOption) } : parsed;
  }
}

function isNoHelpOption(word: string): boolean {
  return word !== "--help" && word !== "-h";
}

/** `path` of `-w, --workdir <path>`. */
function valueName({ flags }: Option): string {
  return /[<[](.+?)(\.\.\.)?[>\]]$/.exec(flags)?.[1] ?? "";
}

/** Puts `--` before the second operand unless there is one, so that nothing behind it is taken for an option of ours. */
export function separateProgram(options: readonly Option[], argv: readonly string[]): string[] {
  const [, second] = operandsAt(options, argv);
  return second === undefined ? [...argv] : [...argv.slice(0, second), "--", ...argv.slice(second)];
}

/** How many words are neither options nor their values. */
export function operandsIn(options: readonly Option[], argv: readonly string[]): number {
  return operandsAt(options, argv).length;
}

/** Where they are, up to a `--`. */
function operandsAt(options: readonly Option[], argv: readonly string[]): number[] {
  const found: number[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index];
    if (argument === undefined || argument === "--") break;
    if (!argument.startsWith("-") || argument.length === 1) found.push(index);
    else if (takesNext(options, argument)) index += 1;
  }
  return found;
}

/** Whether the value of this option is the next argument: not in `--env=A=b`, nor in `-eA=b`, but in `-ie A=b`. */
function takesNext(options: readonly Option[], argument: string): boolean {
  if (argument.startsWith("--")) return options.some(({ long, required }) => long === argument && required);
  for (let at = 1; at < argument.length; at += 1) {
    const option = options.find(({ short }) => short === `-${argument[at]}`);
    if (option?.required) return at === argument.length - 1;
  }
  return false;
}
