import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type ParseArgsConfig, parseArgs } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

const helpOption = { help: { type: "boolean", short: "h" } } as const;

/** What a command takes besides `--help`. */
interface Taken<O extends Options> {
  readonly options?: O;
  /** In their order: `OUT.tar`, `[OUTDIR]` may be missing, `[NAME…]` may be several. Default: none. */
  readonly operands?: readonly string[];
  /** What it was given, where not all of that is its own. */
  readonly args?: readonly string[];
}

type Given<O extends Options> = ReturnType<
  typeof parseArgs<{ options: O & typeof helpOption; allowPositionals: true }>
> & {
  /** Ends the command for what it can't take. */
  readonly refuse: (message: string) => never;
};

/**
 * What a command of the checkout was given. The comment that its file begins with is its help: `--help` prints that and ends it with 0. What it does not
 * know, or misses, is said before it, and ends it with 2.
 */
export function commandLine<const O extends Options = Record<never, never>>(
  url: string,
  taken: Taken<O> = {},
): Given<O> {
  const { options, operands = [], args = process.argv.slice(2) } = taken;
  const refuse = (message: string): never => {
    process.stderr.write(`${message}\n\n${helpOf(url)}`);
    process.exit(2);
  };
  const given = parsed({ args: [...args], options: { ...(options as O), ...helpOption } }, refuse);
  const { positionals } = given;
  if (args.some((argument) => argument === "--help" || argument === "-h")) {
    process.stdout.write(helpOf(url));
    process.exit(0);
  }
  const missing = operands.filter((name) => !name.startsWith("["))[positionals.length];
  if (missing !== undefined) refuse(`${missing} is missing`);
  const surplus = operands.some((name) => name.includes("…")) ? undefined : positionals[operands.length];
  if (surplus !== undefined) refuse(`There is one argument too many: ${JSON.stringify(surplus)}`);
  return { ...given, refuse };
}

function parsed<const O extends Options>(
  { args, options }: { readonly args: string[]; readonly options: O },
  refuse: (message: string) => never,
) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // What follows is advice on `--`, which nobody needs here.
    return refuse(error.message.split(". ")[0] ?? error.message);
  }
}

/** The comment that a command's file begins with. */
export function helpOf(url: string): string {
  const [, comment = ""] = /^\/\*\*(.*?)\*\//s.exec(readFileSync(fileURLToPath(url), "utf8")) ?? [];
  const lines = comment.split("\n").map((line) => line.replace(/^ \* ?/, "").trimEnd());
  return `${lines.join("\n").trim()}\n`;
}
