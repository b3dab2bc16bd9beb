import type { Command } from "commander";
import type { Verb } from "./verb.ts";

/** A verb's file: `define` adds its arguments, options, help and action. */
interface VerbModule {
  readonly define: (command: Verb) => void;
}

export interface VerbEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<VerbModule>;
}

/** Adds verbs by name and summary; the file of the one that is called is loaded then. */
export function addVerbs(parent: Verb, entries: readonly VerbEntry[]): void {
  const loaders = new Map<Command, () => Promise<void>>();
  for (const { name, summary, load } of entries) {
    const verb = parent
      .command(name)
      .summary(summary)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
      .option("--json", "answer in JSON")
      .option("--host <address>", "talk to this server");
    loaders.set(verb, async () => (await load()).define(verb));
  }
  parent.hook("preSubcommand", (_, verb) => loaders.get(verb)?.());
}
