import type { Verb, VerbModule } from "./verb.ts";

export interface VerbEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<VerbModule>;
  /** It talks to no server, so that it need not be told which. */
  readonly withoutServer?: boolean;
  /** A habit that works, and is listed elsewhere. */
  readonly hidden?: boolean;
}

/** Adds verbs by name and summary; the file of the one that is called is loaded then. */
export function addVerbs(parent: Verb, entries: readonly VerbEntry[]): void {
  const verbs = new Map(entries.map((entry) => [entry.name, addVerb(parent, entry)]));
  parent.hook("preSubcommand", (_, verb) => verbs.get(verb.name())?.load());
}

function addVerb(parent: Verb, { name, summary, load, withoutServer, hidden = false }: VerbEntry): Verb {
  const verb = parent
    .addVerb(name, load, { hidden })
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`);
  verb.option("--json", "answer in JSON");
  if (!withoutServer) {
    verb
      .option("--host <address>", "talk to this server")
      .option("--context <name>", "talk to the server of this context");
  }
  return verb;
}
