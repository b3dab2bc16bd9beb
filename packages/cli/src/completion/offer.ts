import type { Verb } from "../verb.ts";
import { type Candidate, nothing, type Offer } from "./candidate.ts";
import type { Line } from "./line.ts";

/** What fits in the line's last place, not yet narrowed down to what has been typed of it. */
export async function offer(line: Line, env: NodeJS.ProcessEnv): Promise<Offer> {
  const { verb, place } = line;
  switch (place.kind) {
    case "verb":
      return { candidates: verb.verbs.map((below) => ({ word: below.name(), description: below.summary() })) };
    case "option":
      return { candidates: options(verb) };
    case "value": {
      const completer = verb.completerOf(place.of);
      if (completer === undefined || completer === "nothing") return nothing;
      if (typeof completer !== "string") return { candidates: completer.map((word) => ({ word })) };
      if (completer === "choices") return { candidates: (place.of.argChoices ?? []).map((word) => ({ word })) };
      const { offerValue } = await import("./values.ts");
      return await offerValue(completer, line, env);
    }
    case "nothing":
      return nothing;
  }
}

function options(verb: Verb): Candidate[] {
  const shown = verb.createHelp().visibleOptions(verb);
  return shown.flatMap(({ long, short, description }) => {
    const word = long ?? short;
    return word === undefined ? [] : [{ word, description }];
  });
}
