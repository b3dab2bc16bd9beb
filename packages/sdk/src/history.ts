import type { HistoryEntry } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import type { CallOptions, Http } from "./http.ts";

export interface HistoryOptions extends CallOptions {
  /** Only of this box: its id, or its name, also that of a box which is gone. */
  readonly box?: string | undefined;
  /** Only what came later than the entry of this `seq`. */
  readonly after?: number | undefined;
}

/** What was done to boxes, and by whom. */
export class History {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** The newest `limit` (1 to 1,000, by default 100), newest first. */
  list({
    box,
    after,
    limit,
    ...call
  }: HistoryOptions & { readonly limit?: number | undefined } = {}): Promise<HistoryEntry[]> {
    const path = urls.history({ box, after, limit });
    return this.#http.call("GET", path, (contract) => contract.historyEntrySchema.array(), call);
  }

  /** All there are, newest first, `limit` (1 to 1,000) at a time. */
  pages({ box, after, limit, ...call }: HistoryOptions & { readonly limit: number }): AsyncGenerator<HistoryEntry[]> {
    const path = (cursor: string | undefined) => urls.history({ box, after, limit, cursor });
    return this.#http.pages(path, (contract) => contract.historyEntrySchema.array(), call);
  }
}
