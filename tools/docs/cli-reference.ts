import { createProgram } from "../../packages/cli/src/program.ts";
import type { Verb } from "../../packages/cli/src/verb.ts";

const columns = 110;

const head = `# Every command

Written by \`node tools/cli-reference.ts\` from the commands themselves: what \`boxrun VERB --help\` says. Exit codes, JSON and templates are in [scripting.md](scripting.md), Tab and several servers in
[cli-setup.md](cli-setup.md).
`;

/** The help of every verb, as a page. */
export async function cliReference(): Promise<string> {
  const program = createProgram(false);
  await loadAll(program);
  const verbs = below(program).filter(({ verb }) => !Reflect.get(verb, "_hidden"));
  const index = verbs
    .filter(({ words }) => words.length === 2)
    .map(({ words: [, name = ""], verb }) => `| [\`boxrun ${name}\`](#boxrun-${name}) | ${verb.summary()} |`);
  const sections = [{ words: ["boxrun"], verb: program }, ...verbs].map(({ words, verb }) => section(words, verb));
  return [head, ["| command | what it does |", "|---|---|", ...index, ""].join("\n"), ...sections].join("\n");
}

async function loadAll(verb: Verb): Promise<void> {
  await verb.load();
  await Promise.all(verb.verbs.map(loadAll));
}

function below(parent: Verb, before: readonly string[] = ["boxrun"]): { words: readonly string[]; verb: Verb }[] {
  return parent.verbs.flatMap((verb) => {
    const words = [...before, verb.name()];
    return [{ words, verb }, ...below(verb, words)];
  });
}

function section(words: readonly string[], verb: Verb): string {
  let help = "";
  verb.configureOutput({
    writeOut: (text) => {
      help += text;
    },
    getOutHelpWidth: () => columns,
    getOutHasColors: () => false,
  });
  verb.outputHelp();
  const text = help.trim().replaceAll(/[ \t]+$/gm, "");
  return `${"#".repeat(Math.min(words.length + 1, 3))} ${words.join(" ")}\n\n\`\`\`text\n${text}\n\`\`\`\n`;
}
