import { buffer } from "node:stream/consumers";
import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { isZstd, unzstd } from "../src/index.ts";

const skippable = Buffer.concat([Buffer.from([0x53, 0x2a, 0x4d, 0x18, 4, 0, 0, 0]), Buffer.from("skip")]);
const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 251));
const frames = (pieceBytes: number) => {
  const pieces: Buffer[] = [];
  for (let at = 0; at < content.length; at += pieceBytes) {
    pieces.push(zstdCompressSync(content.subarray(at, at + pieceBytes)));
  }
  return pieces;
};

async function* inPieces(bytes: Buffer, pieceBytes: number) {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

test.each([
  ["one frame", frames(content.length)],
  ["many frames", frames(10_000)],
  ["frames with some to skip between them", frames(50_000).flatMap((frame) => [frame, skippable])],
  ["a frame to skip first", [skippable, ...frames(100_000)]],
  ["frames of nothing", [zstdCompressSync(Buffer.alloc(0)), ...frames(100_000), zstdCompressSync(Buffer.alloc(0))]],
])("zstd in %s is unpacked whole, however it comes", async (_, packed) => {
  const bytes = Buffer.concat(packed);
  expect(isZstd(bytes)).toBe(true);
  for (const pieceBytes of [bytes.length, 4096, 501, packed[0]?.length ?? 1]) {
    const unpacked = await buffer(unzstd(inPieces(bytes, pieceBytes), { chunkBytes: 4096 }));
    expect(unpacked.equals(content), `in pieces of ${pieceBytes}`).toBe(true);
  }
});

test.each([
  ["is cut off", Buffer.concat(frames(100_000)).subarray(0, -5)],
  ["is followed by something else", Buffer.concat([...frames(100_000), Buffer.from("something else")])],
  ["is damaged", Buffer.concat([...frames(100_000).slice(0, 1), Buffer.alloc(100, 7)])],
])("zstd that %s is an error", async (_, bytes) => {
  await expect(buffer(unzstd(inPieces(bytes, 1000), { chunkBytes: 4096 }))).rejects.toThrow();
});

test("a reader that stops early leaves nothing to wait for", async () => {
  for await (const piece of unzstd(inPieces(Buffer.concat(frames(10_000)), 1000), { chunkBytes: 4096 })) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
});
