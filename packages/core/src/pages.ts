import { type PageQuery, unpagedLimit } from "@boxrun/contract";
import type { PageRequest } from "./ports/store.ts";

/** Some of a list, and where it goes on, if it does. */
export interface Page<T> {
  readonly items: T[];
  readonly next: string | undefined;
}

/** `list` is asked for one more than fits, which says whether there are more. */
export function pageOf<R extends { readonly id: string }, T>(
  { limit = unpagedLimit, cursor }: PageQuery,
  from: { readonly list: (page: PageRequest) => readonly R[]; readonly cursor: (id: string) => string },
  view: (record: R) => T,
): Page<T> {
  const found = from.list({ limit: limit + 1, after: cursor });
  const records = found.slice(0, limit);
  const last = records.at(-1);
  const next = last === undefined || found.length <= limit ? undefined : from.cursor(last.id);
  return { items: records.map(view), next };
}
