import { BoxRunError } from "@boxrun/contract";

/** How many characters of an id's random part make a prefix of it: fewer would name something by accident. */
const leastCharacters = 4;

interface Named {
  readonly id: string;
  readonly name?: string | null;
}

/**
 * The one whose id begins so; `undefined` where none does, or where the words are no beginning of an id. VALIDATION_ERROR if several do:
 * never taken for "there is none", which a removal by force is content with.
 */
export function findByPrefix<T extends Named>(
  kind: "box" | "exec",
  word: string,
  find: (prefix: string) => readonly T[],
): T | undefined {
  if (!word.startsWith(`${kind}_`) || word.length < kind.length + 1 + leastCharacters) return undefined;
  const matches = find(word);
  if (matches.length <= 1) return matches[0];
  const listed = matches.map(({ id, name }) => (name == null ? id : `${id} (${name})`)).join(", ");
  throw new BoxRunError(
    "VALIDATION_ERROR",
    `${JSON.stringify(word)} is the beginning of several ids: ${listed}. Give more of it, or a name`,
    { details: { matches: matches.map(({ id }) => id) } },
  );
}
