import { createHash, createHmac } from "node:crypto";
import type { RequestKey } from "../ports/store.ts";

/** Each has its own keys. */
export type KeyedOperation = "create" | "exec" | "run";

/**
 * What is kept of a request's key and of what was asked: of the key a digest, and of the request a code that only who has the key can
 * compute. So the database shows neither, not even to who guesses a secret in an environment.
 */
export function requestKey(operation: KeyedOperation, key: string, request: object): RequestKey {
  const digest = createHash("sha256").update(`${operation} ${key}`).digest("base64url");
  return { digest, fingerprint: createHmac("sha256", key).update(canonical(request)).digest("base64url") };
}

/** The same text for the same JSON, in whatever order its fields came. */
function canonical(value: object): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
