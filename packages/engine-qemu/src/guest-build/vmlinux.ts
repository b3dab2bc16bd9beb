import { gunzipSync, zstdDecompressSync } from "node:zlib";

/**
 * Takes the uncompressed kernel out of a bzImage. QEMU boots it over its PVH entry, and the guest is spared unpacking 50 MB
 * of itself, which takes an emulated CPU half a second.
 *
 * `undefined` for a compression that isn't known here: the bzImage boots as well.
 */
export function extractVmlinux(bzImage: Buffer): Buffer | undefined {
  // Documentation/x86/boot.rst: setup_sects at 0x1f1, payload_offset and payload_length at 0x248 and 0x24c.
  if (bzImage.length < 0x250 || bzImage.toString("latin1", 0x202, 0x206) !== "HdrS") return undefined;
  const setupSectors = bzImage.readUInt8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + bzImage.readUInt32LE(0x248);
  const payload = bzImage.subarray(start, start + bzImage.readUInt32LE(0x24c));
  const image = decompress(payload);
  return image?.toString("latin1", 0, 4) === "\x7fELF" ? image : undefined;
}

function decompress(payload: Buffer): Buffer | undefined {
  // The length of the unpacked kernel follows the compressed stream.
  const size = payload.readUInt32LE(payload.length - 4);
  const stream = payload.subarray(0, payload.length - 4);
  switch (payload.readUInt32BE(0)) {
    case 0x02214c18:
      return decompressLegacyLz4(stream, size);
    case 0x28b52ffd:
      return zstdDecompressSync(stream);
    default:
      return payload.readUInt16BE(0) === 0x1f8b ? gunzipSync(stream) : undefined;
  }
}

/** LZ4's legacy frame: the magic number, then blocks, each after its compressed length (u32, little-endian). */
function decompressLegacyLz4(stream: Buffer, size: number): Buffer {
  const out = Buffer.allocUnsafe(size);
  let written = 0;
  let at = 4;
  while (at < stream.length && written < size) {
    const end = at + 4 + stream.readUInt32LE(at);
    written = decompressBlock(stream.subarray(at + 4, end), out, written);
    at = end;
  }
  if (written !== size) throw new RangeError(`the kernel unpacks to ${written} bytes instead of ${size}`);
  return out;
}

/** A block is a sequence of: token, literals, and a match (offset, length) into what was written before. */
function decompressBlock(block: Buffer, out: Buffer, start: number): number {
  let written = start;
  let at = 0;
  const length = (nibble: number): number => {
    let total = nibble;
    if (nibble < 15) return total;
    for (;;) {
      const more = block.readUInt8(at++);
      total += more;
      if (more !== 255) return total;
    }
  };
  while (at < block.length) {
    const token = block.readUInt8(at++);
    const literals = length(token >> 4);
    written += block.copy(out, written, at, at + literals);
    at += literals;
    if (at >= block.length) break;
    const offset = block.readUInt16LE(at);
    at += 2;
    let left = length(token & 15) + 4;
    if (offset === 0 || offset > written || written + left > out.length)
      throw new RangeError("the kernel's LZ4 data is damaged");
    while (left > 0) {
      // The match may reach into what it writes itself: never more than one offset's worth at a time.
      const step = Math.min(left, offset);
      out.copyWithin(written, written - offset, written - offset + step);
      written += step;
      left -= step;
    }
  }
  return written;
}
