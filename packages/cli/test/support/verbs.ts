import { createProgram } from "../../src/program.ts";
import type { Verb } from "../../src/verb.ts";

/** Every verb there is, as it is typed: `["images", "pull"]`. Those that only lead to others are among them. */
export async function allVerbs(): Promise<string[][]> {
  return (await loadedVerbs(createProgram(false))).map(({ words }) => words);
}

/** What `boxrun` reads in a command line: the verb, its arguments and its options. Rejects with what it would refuse. */
export async function readWords(words: readonly string[]): Promise<string> {
  const program = createProgram(true);
  let read = "";
  for (const { verb, words: names } of await loadedVerbs(program)) {
    if (verb.verbs.length > 0) continue;
    verb.action((...given: unknown[]) => {
      const args = given
        .slice(0, -2)
        .flat()
        .filter((argument) => argument !== undefined);
      const options = Object.entries(verb.opts()).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
      read = [names.join(" "), JSON.stringify(args), ...options].join(" ");
    });
  }
  await program.parseAsync(words, { from: "user" });
  return read;
}

/** Reads a command line as `boxrun` does, and does nothing. Rejects with a CommanderError for what it would refuse. */
export async function parseOnly(words: readonly string[]): Promise<void> {
  const program = createProgram(true);
  for (const { verb } of await loadedVerbs(program)) {
    if (verb.verbs.length === 0) verb.action(() => undefined);
  }
  await program.parseAsync(words, { from: "user" });
}

interface LoadedVerb {
  readonly words: string[];
  readonly verb: Verb;
}

async function loadedVerbs(above: Verb, words: readonly string[] = []): Promise<LoadedVerb[]> {
  const found: LoadedVerb[] = [];
  for (const verb of above.verbs) {
    await verb.load();
    const own = { words: [...words, verb.name()], verb };
    found.push(own, ...(await loadedVerbs(verb, own.words)));
  }
  return found;
}
