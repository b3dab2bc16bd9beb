import { Command, type Option } from "commander";

/** A verb whose options, arguments and action are defined when it is called for: only its file is loaded. */
export class Verb extends Command {
  #programFollows = false;
  #defaultVerb: string | undefined;

  override createCommand(name?: string): Verb {
    return new Verb(name);
  }

  /** The operands behind the first one are a program with options of its own: `exec -e A=b dev -i -- ls -l`. */
  programFollows(): this {
    this.#programFollows = true;
    return this;
  }

  /** What a lone `images` means. Commander's own default would also take what is mistyped for the default's argument. */
  defaultVerb(name: string): this {
    this.#defaultVerb = name;
    return this;
  }

  override parseOptions(argv: string[]): ReturnType<Command["parseOptions"]> {
    const parsed = super.parseOptions(this.#programFollows ? separateProgram(this.options, argv) : argv);
    const isLone = parsed.operands.length === 0 && parsed.unknown.length === 0;
    return isLone && this.#defaultVerb !== undefined ? { ...parsed, operands: [this.#defaultVerb] } : parsed;
  }
}

/** Puts `--` before the second operand unless there is one, so that nothing behind it is taken for an option of ours. */
export function separateProgram(options: readonly Option[], argv: readonly string[]): string[] {
  let operands = 0;
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index];
    if (argument === undefined || argument === "--") break;
    if (argument.startsWith("-") && argument.length > 1) {
      if (takesNext(options, argument)) index += 1;
      continue;
    }
    operands += 1;
    if (operands === 2) return [...argv.slice(0, index), "--", ...argv.slice(index)];
  }
  return [...argv];
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
