import { turns } from "../turns.ts";
import { WireViolation } from "../violation.ts";
import { slotBytes } from "./area.ts";

/**
 * A body whose pieces are on the disk for transfers, as it goes over the line. Integers are big-endian.
 *
 *  0      1            5
 *  +------+------------+----------------+
 *  | slot | length u32 | bytes          |   a slot: they are in it, and nothing follows
 *  +------+------------+----------------+   254: the end, with length 0; 255: they follow
 */
const headBytes = 5;
const end = 254;
const inline = 255;
/** With less the disk is more trouble than it saves. */
export const inlineBytes = 64 * 1024;

type Piece =
  | { readonly at: "end" }
  | { readonly at: "line"; readonly data: Buffer }
  | { readonly at: "slot"; readonly slot: number; readonly length: number };

/** What the guest says, up to the end of the body, which is the last piece. `lent`: the slots that it may name. Rejects with a WireViolation at the first byte that isn't the protocol's. */
export async function* decodePieces(
  body: AsyncIterable<Uint8Array>,
  lent: readonly number[],
): AsyncGenerator<Piece, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  let ended = false;
  for await (const chunk of body) {
    if (ended) throw new WireViolation("bytes came after the end of a body");
    rest = rest.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([rest, chunk]);
    let at = 0;
    while (!ended && rest.length - at >= headBytes) {
      const slot = rest.readUInt8(at);
      const length = rest.readUInt32BE(at + 1);
      check(slot, length, lent);
      const following = slot === inline ? length : 0;
      if (rest.length - at < headBytes + following) break;
      at += headBytes + following;
      ended = slot === end;
      // As of an exec's frames.
      if (!turns.take(1)) await turns.taken(1);
      if (ended) yield { at: "end" };
      else if (slot === inline) yield { at: "line", data: rest.subarray(at - following, at) };
      else yield { at: "slot", slot, length };
    }
    rest = rest.subarray(at);
    if (ended && rest.length > 0) throw new WireViolation("bytes came after the end of a body");
  }
  if (!ended) throw new WireViolation("a body without its end");
}

function check(slot: number, length: number, lent: readonly number[]): void {
  const [least, most] = slot === end ? [0, 0] : [1, slot === inline ? inlineBytes : slotBytes];
  if (slot !== end && slot !== inline && !lent.includes(slot)) {
    throw new WireViolation(`a piece of a body in slot ${slot}, which was not lent`);
  }
  if (length < least || length > most) {
    throw new WireViolation(`a piece of a body of ${length} bytes, want ${least} to ${most}`);
  }
}

/** Says that a piece is in a slot. */
export function encodeInSlot(slot: number, length: number): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt8(slot, 0);
  head.writeUInt32BE(length, 1);
  return head;
}

/** A piece that goes over the line itself, in several if it is long. */
export function* encodeInline(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += inlineBytes) {
      const part = piece.subarray(at, at + inlineBytes);
      yield encodeInSlot(inline, part.length);
      yield part;
    }
  }
}

export function encodeEnd(): Buffer {
  return encodeInSlot(end, 0);
}
