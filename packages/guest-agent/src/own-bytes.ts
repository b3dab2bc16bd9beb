import type { ClientHttp2Stream } from "node:http2";

/** In bytes: smaller pieces are copied. One that is larger is most of what it is a view of. */
const slabBytes = 16 * 1024;

/**
 * Lets the pieces of an answer hold no memory but their own. Node gives each as a view of all that was read of the connection at once, up to 64 KiB
 * of other answers: one byte that waits for its reader holds all of it, and a guest could have half a million of those wait. Node puts them
 * into the stream's buffer before anybody can listen, so it has to be on their way there.
 */
export function keepOwnBytes(stream: ClientHttp2Stream): void {
  const push = stream.push.bind(stream);
  let slab = Buffer.alloc(0);
  stream.push = (piece: unknown, encoding?: BufferEncoding) => {
    if (!(piece instanceof Uint8Array) || piece.length >= slabBytes) return push(piece, encoding);
    if (slab.length < piece.length) slab = Buffer.allocUnsafeSlow(slabBytes);
    const own = slab.subarray(0, piece.length);
    own.set(piece);
    slab = slab.subarray(piece.length);
    return push(own);
  };
}
