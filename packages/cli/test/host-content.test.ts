import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { hostContent } from "../src/copy/host-content.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "br-content-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function opened(bytes: number) {
  const path = join(dir, "file");
  await writeFile(path, Buffer.alloc(bytes, "x"));
  const file = await open(path, "r+");
  const stat = await file.stat({ bigint: true });
  return { path, stat, file, [Symbol.asyncDispose]: () => file.close() };
}

it("a file that becomes shorter while it is read fails with its name, and no stack", async () => {
  await using source = await opened(1_000_000);
  const { chunks, sizeBytes } = await hostContent(source.file, source.stat, source.path);
  expect(sizeBytes).toBe(1_000_000);
  await source.file.truncate(300_000);
  await expect(buffer(chunks)).rejects.toMatchObject({
    code: "HOST_FILE",
    message: `${source.path} became shorter while it was copied`,
  });
});

it("a file that becomes longer is sent as long as it was", async () => {
  await using source = await opened(100_000);
  const { chunks, sizeBytes } = await hostContent(source.file, source.stat, source.path);
  await source.file.write("more", 100_000);
  expect([sizeBytes, (await buffer(chunks)).length]).toEqual([100_000, 100_000]);
});

it.each([0, 1, 65_535, 65_536, 65_537, 262_144, 400_000])("a file of %i bytes is sent whole", async (bytes) => {
  await using source = await opened(bytes);
  const { chunks, sizeBytes } = await hostContent(source.file, source.stat, source.path);
  expect([sizeBytes, (await buffer(chunks)).length]).toEqual([bytes, bytes]);
});
