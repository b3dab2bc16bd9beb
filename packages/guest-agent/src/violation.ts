/** The guest broke the protocol: whatever it sends after that means nothing. */
export class WireViolation extends Error {
  override readonly name = "WireViolation";
}
