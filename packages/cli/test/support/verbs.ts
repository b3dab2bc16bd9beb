import { createProgram } from "../../src/program.ts";
import type { Verb } from "../../src/verb.ts";

/** Every verb there is, as it is typed: `["images", "pull"]`. Those that only lead to others are among them. */
export async function allVerbs(): Promise<string[][]> {
  return (await loadedVerbs(createProgram(false))).map(({ words }) => words);
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
