import type { ClientHttp2Stream } from "node:http2";
import type { Readable } from "node:stream";
import { WireViolation } from "../violation.ts";
import type { BulkLease } from "./area.ts";
import { decodePieces } from "./pieces.ts";

/** The request's body begins with the slots that the agent may fill; each is lent again once it is read. */
export function offer(slots: readonly number[]): Buffer {
  return Buffer.from(slots);
}

/** What a box sends through the disk for transfers. `body` is the agent's answer on `stream`. */
export async function* receive(
  body: Readable,
  stream: ClientHttp2Stream,
  lease: BulkLease,
  { length, fail }: { readonly length: number | undefined; readonly fail: (violation: WireViolation) => Error },
): AsyncGenerator<Buffer, void, void> {
  let seen = 0;
  try {
    for await (const piece of decodePieces(body, lease.slots)) {
      if (piece.at === "end") {
        // The answer's own end follows, and is read, too.
        stream.end();
        continue;
      }
      const data = piece.at === "line" ? piece.data : await fromSlot(lease, piece);
      if (piece.at === "slot" && stream.writable) stream.write(offer([piece.slot]));
      seen += data.length;
      if (length !== undefined && seen > length) throw new WireViolation(`more than ${length} bytes came`);
      yield data;
    }
    if (length !== undefined && seen < length) throw new WireViolation(`${seen} bytes came instead of ${length}`);
  } catch (error) {
    throw error instanceof WireViolation ? fail(error) : error;
  }
}

async function fromSlot(
  lease: BulkLease,
  { slot, length }: { readonly slot: number; readonly length: number },
): Promise<Buffer> {
  const data = await lease.read(slot, length);
  if (data.length < length) throw new WireViolation("the disk for transfers has become smaller");
  return data;
}
