/** A word that Tab offers. One that ends in `/`, `:` or `=` is to be continued: no space goes behind it. */
export interface Candidate {
  readonly word: string;
  readonly description?: string | undefined;
}

export interface Offer {
  readonly candidates: readonly Candidate[];
  /** What the shell itself offers besides: it knows its quoting and its `~`. */
  readonly hostPaths?: "files" | "directories" | undefined;
}

export const nothing: Offer = { candidates: [] };
