import { newFile } from "./file-system.ts";
import { absolute, type Program, type ProgramContext, type Write } from "./program.ts";
import { converse } from "./terminal.ts";

/**
 * `sh -c SCRIPT`, as much as tests of the core need: commands joined by `;`, newline, `&&` and `||`; single and double quotes; `$NAME`
 * and `$?`; `>`, `>>`, `>&2`; and `exit`, `cd`, `exec`, `NAME=VALUE`, `export`. With a terminal and without a script it reads lines. Anything else is refused with code 2, never run half.
 */
export const sh: Program = async (context) => {
  const [, flag, script] = context.argv;
  if (flag === undefined && context.terminal() !== null) {
    return await converse(context, (line) => sh({ ...context, argv: ["sh", "-c", line] }));
  }
  if (flag !== "-c" || script === undefined) return await refuse(context, "only `sh -c SCRIPT` is known here");
  const tokens = tokenize(script);
  if (tokens === undefined || commands(tokens).some(needsRealShell)) {
    return await refuse(context, `this shell is too small for: ${script}`);
  }
  return await run(context, tokens);
};

type Token =
  | { readonly kind: "word"; readonly parts: readonly Part[] }
  | { readonly kind: "end"; readonly when: "always" | "success" | "failure" }
  | { readonly kind: "redirect"; readonly to: "file" | "append" | "stderr" };
type Part = { readonly text: string } | { readonly variable: string };

const rules: readonly (readonly [RegExp, Token])[] = [
  [/^&&/, { kind: "end", when: "success" }],
  [/^\|\|/, { kind: "end", when: "failure" }],
  [/^[;\n]/, { kind: "end", when: "always" }],
  [/^>&2/, { kind: "redirect", to: "stderr" }],
  [/^>>/, { kind: "redirect", to: "append" }],
  [/^>/, { kind: "redirect", to: "file" }],
];
const wordPart = /^(?:'([^']*)'|"((?:[^"\\$`]|\\.|\$\w+|\$\?)*)"|\$(\w+|\?)|\\(.)|([^\s'"$\\;&|<>()`#*~[\]{}]+))/;

function tokenize(script: string): Token[] | undefined {
  const tokens: Token[] = [];
  let rest = script.replace(/^[ \t]+/, "");
  next: while (rest !== "") {
    for (const [pattern, token] of rules) {
      const match = rest.match(pattern);
      if (match === null) continue;
      tokens.push(token);
      rest = rest.slice(match[0].length).replace(/^[ \t]+/, "");
      continue next;
    }
    const parts: Part[] = [];
    for (let match = rest.match(wordPart); match !== null; match = rest.match(wordPart)) {
      const [whole, single, double, variable, escaped, plain] = match;
      if (double !== undefined) parts.push(...doubleQuoted(double));
      else if (variable !== undefined) parts.push({ variable });
      else parts.push({ text: single ?? escaped ?? plain ?? "" });
      rest = rest.slice(whole.length);
    }
    if (parts.length === 0) return undefined;
    tokens.push({ kind: "word", parts });
    rest = rest.replace(/^[ \t]+/, "");
  }
  return tokens;
}

function doubleQuoted(text: string): Part[] {
  const pieces = text.match(/\$(?:\w+|\?)|\\[\s\S]|[^$\\]+/g) ?? [];
  const parts = pieces.map(
    (piece): Part =>
      piece.startsWith("$") ? { variable: piece.slice(1) } : { text: piece.replace(/^\\(["$`\\])/, "$1") },
  );
  return parts.length === 0 ? [{ text: "" }] : parts;
}

interface Command {
  readonly when: "always" | "success" | "failure";
  readonly words: Extract<Token, { kind: "word" }>[];
  redirect?: { readonly to: "file" | "append" | "stderr"; readonly path?: Extract<Token, { kind: "word" }> };
}

function commands(tokens: readonly Token[]): Command[] {
  const list: Command[] = [{ when: "always", words: [] }];
  const rest = [...tokens];
  for (let token = rest.shift(); token !== undefined; token = rest.shift()) {
    const command = list.at(-1);
    if (command === undefined) break;
    if (token.kind === "word") command.words.push(token);
    else if (token.kind === "end") list.push({ when: token.when, words: [] });
    else if (token.to === "stderr") command.redirect = { to: "stderr" };
    else {
      const path = rest.shift();
      command.redirect = path?.kind === "word" ? { to: token.to, path } : { to: token.to };
    }
  }
  return list.filter(({ words }) => words.length > 0);
}

/** Reserved words, and assignments. */
const notCommands = /^(?:if|then|else|elif|fi|for|while|until|do|done|case|esac|in|!)$/;
const assignment = /^(\w+)=(.*)$/s;

function needsRealShell({ words }: Command): boolean {
  const [first] = words[0]?.parts ?? [];
  if (first === undefined || !("text" in first)) return false;
  return notCommands.test(first.text) || (words.length > 1 && assignment.test(first.text));
}

async function run(context: ProgramContext, tokens: readonly Token[]): Promise<number> {
  let code = 0;
  let { cwd, env } = context;
  for (const { when, words, redirect } of commands(tokens)) {
    if ((when === "success" && code !== 0) || (when === "failure" && code === 0)) continue;
    const expand = (word: { readonly parts: readonly Part[] }) =>
      word.parts
        .map((part) => ("text" in part ? part.text : part.variable === "?" ? String(code) : (env[part.variable] ?? "")))
        .join("");
    const argv = words.map(expand);
    const [, name, value] = (argv.length === 1 ? argv[0]?.match(assignment) : null) ?? [];
    if (name !== undefined && value !== undefined) env = { ...env, [name]: value };
    // Everything is exported here.
    if (name !== undefined || argv[0] === "export") {
      code = 0;
      continue;
    }
    const here = { ...context, cwd };
    if (argv[0] === "exit") return Number(argv[1] ?? code);
    if (argv[0] === "cd") {
      cwd = absolute(here, argv[1] ?? context.env.HOME ?? "/");
      code = 0;
      continue;
    }
    const path = redirect?.path === undefined ? undefined : absolute(here, expand(redirect.path));
    const stdout = redirect === undefined ? context.stdout : output(context, redirect.to, path);
    const isExec = argv[0] === "exec";
    code = await context.run(isExec ? argv.slice(1) : argv, { cwd, env, stdout });
    if (isExec) return code;
  }
  return code;
}

function output(context: ProgramContext, to: "file" | "append" | "stderr", path: string | undefined): Write {
  if (to === "stderr" || path === undefined) return context.stderr;
  if (to === "file") context.files.put(path, newFile(Buffer.alloc(0)));
  return async (data) => {
    const node = context.files.find(path);
    const before = node?.type === "file" ? node.content : Buffer.alloc(0);
    const added = typeof data === "string" ? Buffer.from(data) : data;
    if (node?.type === "file") node.content = Buffer.concat([before, added]);
    else context.files.put(path, newFile(Buffer.from(added)));
  };
}

async function refuse(context: ProgramContext, why: string): Promise<number> {
  await context.stderr(`sh: ${why}\n`);
  return 2;
}
