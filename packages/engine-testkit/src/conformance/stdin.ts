import { randomBytes } from "node:crypto";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { collect, never, OutputReader, type } from "./harness.ts";
import { makeTar } from "./tar.ts";

const largeBytes = 4 * 1024 * 1024;

export function stdinBehaviours({ behaviour, harness }: Suite): void {
  behaviour("standard input that was not asked for is at its end", [], async () => {
    const { exit, stdout } = await harness.run(["cat"]);
    expect(exit.code).toBe(0);
    expect(stdout).toHaveLength(0);
  });

  behaviour("what is written arrives in order, is answered while input stays open, and ends with eof", [], async () => {
    const exec = await harness.start(harness.box, ["cat"], { stdin: true });
    const reader = new OutputReader(exec);
    for (const word of ["one ", "two ", "three"]) {
      await type(exec, word, { eof: false });
      await reader.until(word);
    }
    await type(exec, "", { eof: true });
    while (await reader.next());
    expect(reader.bytes("stdout").toString()).toBe("one two three");
    expect(await exec.exit).toMatchObject({ code: 0, reason: "exited" });
  });

  behaviour("4 MB go in and come back byte for byte", ["binary-output"], async () => {
    const bytes = randomBytes(largeBytes);
    const exec = await harness.start(harness.box, ["cat"], { stdin: true });
    const [{ exit, stdout }] = await Promise.all([
      collect(exec),
      exec.writeStdin(Readable.from(pieces(bytes), { objectMode: false }), { eof: true, signal: never() }),
    ]);
    expect(exit.code).toBe(0);
    expect(stdout.equals(bytes)).toBe(true);
  });

  behaviour("a tar archive may come through standard input", ["linux"], async () => {
    const directory = harness.newPath();
    const tar = await buffer(makeTar([{ name: "sub/file.txt", content: "from a tar" }]));
    const exec = await harness.start(harness.box, ["sh", "-c", `mkdir ${directory} && tar x -C ${directory}`], {
      stdin: true,
    });
    const [{ exit, stderr }] = await Promise.all([collect(exec), type(exec, tar, { eof: true })]);
    expect(stderr.toString()).toBe("");
    expect(exit.code).toBe(0);
    expect((await harness.read(`${directory}/sub/file.txt`)).toString()).toBe("from a tar");
  });

  behaviour("a write to a program that has ended rejects with EXEC_ALREADY_FINISHED", [], async () => {
    const exec = await harness.start(harness.box, ["true"], { stdin: true });
    await collect(exec);
    await expect(type(exec, "late", { eof: true })).rejects.toMatchObject({ code: "EXEC_ALREADY_FINISHED" });
  });

  behaviour("a write behind eof rejects with EXEC_ALREADY_FINISHED", [], async () => {
    const exec = await harness.start(harness.box, ["sleep", "86400"], { stdin: true });
    await type(exec, "", { eof: true });
    await expect(type(exec, "late", { eof: false })).rejects.toMatchObject({ code: "EXEC_ALREADY_FINISHED" });
    await exec.cancel();
    await collect(exec);
  });

  behaviour("a program that ends without reading its input makes the writer reject, not hang", [], async () => {
    const exec = await harness.start(harness.box, ["sleep", "1"], { stdin: true });
    const writing = exec.writeStdin(Readable.from(pieces(Buffer.alloc(largeBytes)), { objectMode: false }), {
      eof: true,
      signal: never(),
    });
    const [write, { exit }] = await Promise.all([writing.catch((error: unknown) => error), collect(exec)]);
    expect(write).toMatchObject({ code: "EXEC_ALREADY_FINISHED" });
    expect(exit.code).toBe(0);
  });

  behaviour("a writer that is given up rejects, and the program and its input live on", [], async () => {
    const exec = await harness.start(harness.box, ["cat"], { stdin: true });
    const reader = new OutputReader(exec);
    const source = new PassThrough();
    const controller = new AbortController();
    const writing = exec.writeStdin(source, { eof: true, signal: controller.signal });
    source.write("first ");
    await reader.until("first ");
    controller.abort();
    await expect(writing).rejects.toThrow();
    await type(exec, "second", { eof: true });
    while (await reader.next());
    expect(reader.bytes("stdout").toString()).toBe("first second");
    expect((await exec.exit).code).toBe(0);
  });

  behaviour("input with an offset is taken once, however often it is sent, and so is its end", [], async () => {
    const exec = await harness.start(harness.box, ["cat"], { stdin: true });
    const reader = new OutputReader(exec);
    await type(exec, "abc", { eof: false, offset: 0 });
    await type(exec, "abc", { eof: false, offset: 0 });
    await type(exec, "bcdef", { eof: false, offset: 1 });
    const gap = type(exec, "h", { eof: false, offset: 7 });
    await expect(gap).rejects.toMatchObject({ code: "VALIDATION_ERROR", message: expect.stringContaining("byte 6") });
    await expect(type(exec, "ab", { eof: true, offset: 0 })).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    await type(exec, "g", { eof: true, offset: 6 });
    while (await reader.next());
    expect(reader.bytes("stdout").toString()).toBe("abcdefg");
  });

  behaviour("a source that breaks off rejects, and does not end the program's input", [], async () => {
    const exec = await harness.start(harness.box, ["cat"], { stdin: true });
    const reader = new OutputReader(exec);
    const source = new PassThrough();
    const writing = exec.writeStdin(source, { eof: true, signal: never() });
    source.write("half ");
    await reader.until("half ");
    source.destroy(new Error("the client hung up"));
    await expect(writing).rejects.toThrow();
    await type(exec, "whole", { eof: true });
    while (await reader.next());
    expect(reader.bytes("stdout").toString()).toBe("half whole");
  });
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
}
