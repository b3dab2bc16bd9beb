/** What is above every id that begins so, and at or below all others: a range that an index finds. Ids are ASCII. */
export function behindPrefix(prefix: string): string {
  return `${prefix}\u007f`;
}
