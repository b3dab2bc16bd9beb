import { createHash, randomBytes } from "node:crypto";
import { PassThrough, Readable } from "node:stream";
import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { never } from "./harness.ts";
import { conformanceDefaults } from "./options.ts";

const mebibyte = 1024 * 1024;
/** Slower than any engine that one would want to use. */
const slowBytesPerMs = 2 * 1024;
/** Far below the size of the large file; the test process's own garbage is part of it. */
const memoryLimitBytes = 160 * mebibyte;

export function transferBehaviours({ behaviour, harness, options }: Suite): void {
  for (const size of [0, 1, 65_535, 65_536, 65_537, mebibyte + 1]) {
    behaviour(`a file of ${size} bytes goes in and comes out the same`, [], async () => {
      const path = harness.newPath();
      const bytes = randomBytes(size);
      await harness.write(path, bytes);
      expect((await harness.read(path)).equals(bytes)).toBe(true);
    });
  }

  const largeBytes = options.largeFileBytes ?? conformanceDefaults.largeFileBytes;
  const lowered = largeBytes < conformanceDefaults.largeFileBytes ? " (lowered for this engine)" : "";
  behaviour(
    `a file of ${largeBytes / mebibyte} MiB${lowered} streams in and out with the same checksum, in bounded memory`,
    [],
    async () => {
      const path = harness.newPath();
      const memory = watchMemory();
      const written = createHash("sha256");
      await harness.write(path, Readable.from(generate(largeBytes, written), { objectMode: false }));
      const { size, content } = await harness.engine.readFile(harness.box, path, { signal: never() });
      expect(size).toBe(largeBytes);
      const read = createHash("sha256");
      for await (const chunk of content) read.update(chunk);
      const grownBytes = memory.stop();
      expect(read.digest("hex")).toBe(written.digest("hex"));
      // An engine that keeps its files in this process's memory has no bound to keep.
      if (options.realLinux) expect(grownBytes).toBeLessThan(memoryLimitBytes);
      await harness.engine.removeFile(harness.box, path);
    },
    (2 * largeBytes) / slowBytesPerMs,
  );

  behaviour("an upload that breaks off leaves nothing: not at its path, not beside it", [], async () => {
    const directory = harness.newPath();
    await harness.write(`${directory}/other`, "");
    const source = new PassThrough();
    const writing = harness.write(`${directory}/file`, source);
    source.write(Buffer.alloc(mebibyte));
    source.destroy(new Error("the client hung up"));
    await expect(writing).rejects.toThrow();
    expect(await harness.names(directory)).toEqual(["other"]);
  });

  behaviour("an upload that is given up leaves the file that was there, whole", [], async () => {
    const directory = harness.newPath();
    await harness.write(`${directory}/file`, "the old content");
    const source = new PassThrough();
    const controller = new AbortController();
    const writing = harness.engine.writeFile(harness.box, `${directory}/file`, source, { signal: controller.signal });
    source.write(Buffer.alloc(mebibyte));
    controller.abort();
    await expect(writing).rejects.toMatchObject({ name: "BoxRunError" });
    expect(await harness.names(directory)).toEqual(["file"]);
    expect((await harness.read(`${directory}/file`)).toString()).toBe("the old content");
  });

  behaviour("a file is replaced at once: a reader sees the old or the new content, never half of one", [], async () => {
    const path = harness.newPath();
    const versions = [Buffer.alloc(300_000, "a"), Buffer.alloc(300_000, "b")] as const;
    await harness.write(path, versions[0]);
    let done = false;
    const writing = (async () => {
      for (let round = 1; round <= 6; round += 1) await harness.write(path, versions[round % 2] ?? versions[0]);
    })().finally(() => {
      done = true;
    });
    let reads = 0;
    while (!done || reads === 0) {
      const content = await harness.read(path);
      expect(versions.some((version) => version.equals(content))).toBe(true);
      reads += 1;
    }
    await writing;
  });

  behaviour("a download that is given up half-way ends, and the box goes on", [], async () => {
    const path = harness.newPath();
    await harness.write(path, Buffer.alloc(8 * mebibyte));
    for (let round = 0; round < 3; round += 1) {
      const { content } = await harness.engine.readFile(harness.box, path, { signal: never() });
      for await (const chunk of content) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      expect(content.destroyed).toBe(true);
    }
    expect(await harness.sh("echo fine")).toBe("fine");
    await harness.engine.removeFile(harness.box, path);
  });

  behaviour("eight transfers at once do not mix", [], async () => {
    const directory = harness.newPath();
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const bytes = Buffer.alloc(700_000, index);
        await harness.write(`${directory}/${index}`, bytes);
        expect((await harness.read(`${directory}/${index}`)).equals(bytes)).toBe(true);
      }),
    );
  });
}

/** That many bytes, each mebibyte another, made as they are asked for. */
function* generate(bytes: number, hash: { update(data: Uint8Array): unknown }): Generator<Buffer> {
  const block = randomBytes(mebibyte);
  for (let at = 0; at < bytes; at += mebibyte) {
    const piece = Buffer.from(block.subarray(0, Math.min(mebibyte, bytes - at)));
    piece.writeDoubleLE(at, 0);
    hash.update(piece);
    yield piece;
  }
}

/** How much the process's memory grows at most while it is watched. */
function watchMemory(): { stop(): number } {
  const before = process.memoryUsage.rss();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 50);
  return {
    stop() {
      clearInterval(timer);
      return most - before;
    },
  };
}
