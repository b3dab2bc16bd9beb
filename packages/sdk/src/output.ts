import type { LogEvent } from "@boxrun/contract";

/** The bytes that the program wrote, whichever way they travelled. */
export function logBytes(event: Pick<LogEvent, "data" | "encoding">): Uint8Array {
  if (event.encoding === undefined) return new TextEncoder().encode(event.data);
  const binary = atob(event.data);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index);
  return bytes;
}
