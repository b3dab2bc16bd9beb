import { BoxRunError } from "@boxrun/contract";

/** A value and where it stands; by links, because what is nested a million deep has no stack to be walked on. */
interface Place {
  readonly value: unknown;
  readonly key: string;
  readonly parent: Place | undefined;
}

/**
 * Parsed JSON as it came, or VALIDATION_ERROR for what would not come through as it was meant, wherever it stands: half a surrogate pair
 * is no text and no UTF-8, so that strict parsers would choke on every list that it is in; and a key `__proto__` gets lost on the way
 * through objects.
 */
export function requirePlain(json: unknown): unknown {
  const places: Place[] = [{ value: json, key: "", parent: undefined }];
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    const { value } = place;
    if (typeof value === "string" && !value.isWellFormed())
      throw refused(place, "must be text, without halves of surrogate pairs");
    if (typeof value !== "object" || value === null) continue;
    for (const [key, item] of Object.entries(value)) {
      const entry = { value: item, key, parent: place };
      if (!key.isWellFormed()) throw refused(entry, "must have a name that is text, without halves of surrogate pairs");
      if (key === "__proto__") throw refused(entry, "is no name that can be used");
      places.push(entry);
    }
  }
  return json;
}

function refused(place: Place, why: string): BoxRunError {
  const keys: string[] = [];
  for (let at: Place | undefined = place; at?.parent !== undefined; at = at.parent) keys.push(at.key);
  // Not `unshift`, which moves all others each time: what is nested deep would hold the whole server up for seconds.
  return new BoxRunError("VALIDATION_ERROR", `${fieldName(keys.reverse()) || "body"}: ${why}`);
}

/** A field's name comes from the caller, and comes back in a message and in a log. */
export function fieldName(path: readonly PropertyKey[]): string {
  const name = path.map(String).join(".");
  return (name.length > 100 ? `${name.slice(0, 100)}…` : name).toWellFormed();
}
