import { createHash } from "node:crypto";

/** A box's own MAC address, the same at each start: of those that nobody's vendor has. */
export function macOf(boxId: string): string {
  const bytes = createHash("sha256").update(`mac ${boxId}`).digest().subarray(0, 6);
  // Locally administered, and of one card.
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return bytes.toString("hex").replace(/..(?=.)/g, "$&:");
}
