import { turns } from "./turns.ts";
import { WireViolation } from "./violation.ts";

/**
 * Frames of what a program of the box says on a connection to one of its ports. What it is told goes as it is. Integers are big-endian.
 *
 *  0      1            5
 *  +------+------------+----------------+
 *  | type | length u32 | payload        |   type 1 data (1 to 65536 bytes), 2 end (no bytes; the last frame)
 *  +------+------------+----------------+
 */
const headerSize = 5;
const maxPayload = 65_536;
const types = { data: 1, end: 2 } as const;

/**
 * What the program says, in the pieces in which it comes, and `null` when it has said its last, which may be long before the body's end. Rejects with a
 * WireViolation at the first byte that isn't the protocol's, or if there is no end.
 */
export async function* decodePortFrames(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array | null, void, void> {
  const header = Buffer.alloc(headerSize);
  let headerLength = 0;
  let payloadLeft = 0;
  let ended = false;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; ) {
      if (ended) throw new WireViolation("bytes came after the end of a port's connection");
      if (payloadLeft > 0) {
        const data = chunk.subarray(at, at + payloadLeft);
        at += data.length;
        payloadLeft -= data.length;
        if (!turns.take(1)) await turns.taken(1);
        yield data;
        continue;
      }
      const part = chunk.subarray(at, at + headerSize - headerLength);
      header.set(part, headerLength);
      headerLength += part.length;
      at += part.length;
      if (headerLength < headerSize) break;
      headerLength = 0;
      payloadLeft = lengthOf(header);
      ended = payloadLeft === 0;
      if (ended) yield null;
    }
  }
  if (!ended) throw new WireViolation("a port's connection ends without saying so");
}

/** Of the payload; 0 for the end. */
function lengthOf(header: Buffer): number {
  const type = header.readUInt8(0);
  const length = header.readUInt32BE(1);
  if (type === types.data && length > 0 && length <= maxPayload) return length;
  if (type === types.end && length === 0) return 0;
  throw new WireViolation(`a frame of a port's connection of type ${type} with ${length} bytes`);
}
