import { randomBytes } from "node:crypto";
import { BoxRunError } from "@boxrun/contract";
import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { collect, execSpec, OutputReader } from "./harness.ts";

/** Four times what is kept of an exec's output, so that most of it has to be read before the program can end. */
const largeBytes = 4 * 1024 * 1024;

export function outputBehaviours({ behaviour, harness }: Suite): void {
  behaviour("standard error comes apart from standard output", [], async () => {
    const { stdout, stderr } = await harness.run(["sh", "-c", "echo one; echo two >&2; echo three; echo four >&2"]);
    expect(stdout.toString()).toBe("one\nthree\n");
    expect(stderr.toString()).toBe("two\nfour\n");
  });

  behaviour("a program without output has none, and its exit", [], async () => {
    const { exit, stdout, stderr } = await harness.run(["true"]);
    expect(exit.code).toBe(0);
    expect(stdout.length + stderr.length).toBe(0);
  });

  behaviour("output without a newline at its end, and a single byte, come whole", [], async () => {
    expect((await harness.run(["printf", "no newline"])).stdout.toString()).toBe("no newline");
    expect((await harness.run(["printf", "x"])).stdout.toString()).toBe("x");
  });

  behaviour("bytes that are no UTF-8 come as they are", ["binary-output"], async () => {
    const path = harness.newPath();
    const bytes = Buffer.from(Array.from({ length: 1024 }, (_, index) => index & 0xff));
    await harness.write(path, bytes);
    expect((await harness.run(["cat", path])).stdout.equals(bytes)).toBe(true);
  });

  behaviour("4 MB of random bytes come byte for byte", ["binary-output"], async () => {
    const path = harness.newPath();
    const bytes = randomBytes(largeBytes);
    await harness.write(path, bytes);
    const { exit, stdout } = await harness.run(["cat", path]);
    expect(exit.code).toBe(0);
    expect(stdout.equals(bytes)).toBe(true);
    await harness.engine.removeFile(harness.box, path);
  });

  behaviour("100,000 lines come in order and complete, however short the program lives", [], async () => {
    const { stdout } = await harness.run(["seq", "1", "100000"]);
    expect(stdout.toString()).toBe(Array.from({ length: 100_000 }, (_, index) => `${index + 1}\n`).join(""));
  });

  behaviour("exit settles only after the last byte was handed out", [], async () => {
    const exec = await harness.start(harness.box, ["echo", "hello"]);
    let settled = false;
    const exit = exec.exit.then(() => {
      settled = true;
    });
    // Other programs come and go meanwhile: this one has ended long since.
    for (let round = 0; round < 3; round += 1) await harness.run(["true"]);
    expect(settled).toBe(false);
    expect((await collect(exec)).stdout.toString()).toBe("hello\n");
    await exit;
  });

  behaviour("a program whose output nobody reads waits, and nothing of it is dropped", [], async () => {
    const source = harness.newPath();
    const marker = harness.newPath();
    const bytes = Buffer.alloc(largeBytes, "0123456789abcdef");
    await harness.write(source, bytes);
    const exec = await harness.start(harness.box, ["sh", "-c", `cat ${source}; echo done > ${marker}`]);
    const reader = new OutputReader(exec);
    expect(await reader.next()).toBe(true);
    for (let round = 0; round < 5; round += 1) await harness.run(["true"]);
    await expect(harness.read(marker)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    reader.acknowledge();
    while (await reader.next());
    expect((await exec.exit).code).toBe(0);
    expect(reader.bytes("stdout").equals(bytes)).toBe(true);
    expect((await harness.read(marker)).toString()).toBe("done\n");
    await harness.engine.removeFile(harness.box, source);
  });

  behaviour("one program's slow reader does not hold up another program", [], async () => {
    const path = harness.newPath();
    const bytes = randomBytes(largeBytes);
    await harness.write(path, bytes);
    const slow = await harness.start(harness.box, ["cat", path]);
    const reader = new OutputReader(slow);
    await reader.next();
    expect((await harness.run(["seq", "1", "20000"])).stdout.length).toBe(108_894);
    reader.acknowledge();
    while (await reader.next());
    expect(reader.bytes("stdout").equals(bytes)).toBe(true);
    await harness.engine.removeFile(harness.box, path);
  });

  behaviour("a command for a box that does not run rejects with BOX_NOT_RUNNING or RUNTIME_ERROR", [], async () => {
    const error = await harness.engine.exec("box_unknown00000", execSpec(["true"])).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BoxRunError);
    expect(error).toMatchObject({ code: expect.stringMatching(/^(BOX_NOT_RUNNING|RUNTIME_ERROR)$/) });
  });
}
