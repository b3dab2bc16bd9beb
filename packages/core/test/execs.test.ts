import { Readable } from "node:stream";
import { runRequestSchema } from "@boxrun/contract";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OutputEvent } from "../src/index.ts";
import { CoreHarness, never, stdout } from "./support/core.ts";

let harness: CoreHarness;
let box: string;

async function open(options: Parameters<typeof CoreHarness.open>[0] = {}): Promise<void> {
  harness = await CoreHarness.open(options);
  box = (await harness.create({ env: { A: "box", B: "box" } })).id;
}
beforeEach(() => open());
afterEach(() => harness[Symbol.asyncDispose]());

const seqs = (events: readonly OutputEvent[]) => events.map((event) => event.seq);
const upTo = (last: number) => Array.from({ length: last }, (_, n) => n + 1);

describe("an exec", () => {
  it("ends with its exit code in its row and in its last event", async () => {
    const exec = await harness.start(box, ["sh", "-c", "echo out; echo err >&2; exit 3"]);
    const events = await harness.events(box, exec.id);
    expect(events.map((event) => event.data)).toEqual(["out\n", "err\n", '{"exit_code":3}']);
    expect(harness.core.execs.get(box, exec.id)).toMatchObject({ status: "failed", exit_code: 3, error_message: null });
  });

  it("sees the variables of image, box and request, the nearest first", async () => {
    harness.images.config = { env: { A: "image", B: "image", C: "image", PATH: "/bin" }, user: null, workdir: null };
    const other = await harness.create({ image: "tool:1", env: { A: "box", B: "box" } });
    const exec = await harness.start(other.id, ["sh", "-c", "echo $A $B $C"], { env: { A: "exec" } });
    expect(stdout(await harness.events(other.id, exec.id))).toBe("exec box image\n");
  });

  it("without a command runs its image's own, and says what to type where that has none", async () => {
    await expect(harness.core.execs.start(box, {})).rejects.toMatchObject({
      code: "VALIDATION_ERROR",
      message: expect.stringContaining("`boxrun run base sh`"),
    });
    harness.images.command = ["sh", "-c", "echo own"];
    const exec = await harness.core.execs.start(box, {});
    expect(exec.cmd).toEqual(["sh", "-c", "echo own"]);
    expect(stdout(await harness.events(box, exec.id))).toBe("own\n");
    const run = (request: { cmd?: string[] }) =>
      harness.core.run(runRequestSchema.parse({ image: "base", ...request }), { signal: never });
    expect(await run({})).toMatchObject({ exit_code: 0, stdout: "own\n" });
    expect(await run({ cmd: ["echo", "given"] })).toMatchObject({ exit_code: 0, stdout: "given\n" });
  });

  it("that can't be started ends as failed with code 127 and a message", async () => {
    const exec = await harness.start(box, ["no-such-program"]);
    const last = (await harness.events(box, exec.id)).at(-1);
    expect(JSON.parse(last?.data ?? "")).toMatchObject({
      exit_code: 127,
      error: expect.stringContaining("no-such-program"),
    });
  });

  it("that is over when it has started is answered with its end", async () => {
    expect(await harness.core.execs.start(box, { cmd: ["no-such-program"] })).toMatchObject({
      status: "failed",
      exit_code: 127,
      finished_at: expect.any(String),
    });
  });

  it("is canceled for real before the call returns", async () => {
    const exec = await harness.start(box, ["sleep", "1000"]);
    expect(await harness.core.execs.cancel(box, exec.id)).toMatchObject({ status: "canceled" });
    await expect(harness.core.execs.cancel(box, exec.id)).rejects.toMatchObject({ code: "EXEC_ALREADY_FINISHED" });
  });

  it("times out", async () => {
    const exec = await harness.start(box, ["sleep", "1000"], { timeout_ms: 20 });
    const last = (await harness.events(box, exec.id)).at(-1);
    expect(JSON.parse(last?.data ?? "")).toHaveProperty("error");
    expect(harness.core.execs.get(box, exec.id).status).toBe("timeout");
  });

  it("takes standard input only if it asked for it", async () => {
    const [open, closed] = [
      await harness.start(box, ["cat"], { stdin: true }),
      await harness.start(box, ["sleep", "1000"]),
    ];
    const write = (id: string) =>
      harness.core.execs.writeStdin(box, id, Readable.from([Buffer.from("typed")]), { eof: true, signal: never });
    await write(open.id);
    expect(stdout(await harness.events(box, open.id))).toBe("typed");
    await expect(write(closed.id)).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    await expect(write(open.id)).rejects.toMatchObject({ code: "EXEC_ALREADY_FINISHED" });
  });

  it("of another box is not found", async () => {
    const other = await harness.create();
    const exec = await harness.start(box, ["true"]);
    expect(() => harness.core.execs.get(other.id, exec.id)).toThrow(/no exec/);
  });
});

describe("readers", () => {
  it("all see the same events, once and in order, whenever they come", async () => {
    const exec = await harness.start(box, ["seq", "20000"]);
    const early = Array.from({ length: 3 }, () => harness.events(box, exec.id));
    const readers = [...(await Promise.all(early)), await harness.events(box, exec.id)];
    const expected = upTo(20_000).join("\n").concat("\n");
    for (const events of readers) {
      expect(stdout(events)).toBe(expected);
      expect(seqs(events)).toEqual(upTo(events.length));
    }
  });

  it("that come back see what they have not seen", async () => {
    const exec = await harness.start(box, ["sh", "-c", "echo one; echo two >&2; echo three"]);
    const all = await harness.events(box, exec.id);
    expect(await harness.events(box, exec.id, 2)).toEqual(all.slice(2));
    expect(await harness.events(box, exec.id, all.length)).toEqual([]);
    expect(await harness.events(box, exec.id, 1_000_000)).toEqual([]);
  });

  it("that stop reading hold up neither the program nor the others", async () => {
    const exec = await harness.start(box, ["seq", "5000"]);
    const slow = harness.core.execs.events(exec.id, { after: 0, signal: never })[Symbol.asyncIterator]();
    await slow.next();
    expect(stdout(await harness.events(box, exec.id))).toContain("\n5000\n");
    await slow.return?.(undefined);
  });
});

describe("over a restart of the server", () => {
  it("a command goes on, and a reader sees every byte once and the real exit code", async () => {
    const exec = await harness.start(box, ["sh", "-c", "seq 50000; cat; exit 9"], { stdin: true });
    const seen: OutputEvent[] = [];
    for await (const events of harness.core.execs.events(exec.id, { after: 0, signal: never })) {
      seen.push(...events);
      if (seen.length > 2) break;
    }
    await harness.restart();
    await harness.core.execs.writeStdin(box, exec.id, Readable.from([Buffer.from("end")]), {
      eof: true,
      signal: never,
    });
    const rest = await harness.events(box, exec.id, seen.at(-1)?.seq);
    expect(stdout([...seen, ...rest])).toBe(`${upTo(50_000).join("\n")}\nend`);
    expect(seqs([...seen, ...rest])).toEqual(upTo(seen.length + rest.length));
    expect(rest.at(-1)?.data).toBe('{"exit_code":9}');
  });

  it("a character cut at the restart comes out whole", async () => {
    await harness[Symbol.asyncDispose]();
    const gate = Promise.withResolvers<void>();
    await open({
      engine: {
        programs: {
          fox: async ({ stdout: write }) => {
            await write(Buffer.from([0x41, 0xf0, 0x9f]));
            await gate.promise;
            await write(Buffer.from([0xa6, 0x8a]));
            return 0;
          },
        },
      },
    });
    const exec = await harness.start(box, ["fox"]);
    for await (const events of harness.core.execs.events(exec.id, { after: 0, signal: never })) {
      expect(events).toMatchObject([{ data: "A" }]);
      break;
    }
    await harness.restart();
    gate.resolve();
    expect(stdout(await harness.events(box, exec.id))).toBe("A🦊");
  });

  it("a command that the engine can't find again is failed, and says why", async () => {
    await harness[Symbol.asyncDispose]();
    await open({ engine: { capabilities: [] } });
    const exec = await harness.start(box, ["sleep", "1000"]);
    await harness.restart();
    expect(harness.core.execs.get(box, exec.id)).toMatchObject({
      status: "failed",
      exit_code: null,
      error_message: expect.stringMatching(/restarted/),
    });
  });

  it("a command whose box died is failed", async () => {
    const exec = await harness.start(box, ["sleep", "1000"]);
    await harness.close();
    harness.host.kill(box);
    await harness.restart();
    expect(harness.core.execs.get(box, exec.id)).toMatchObject({
      status: "failed",
      error_message: expect.stringContaining("VM ended"),
    });
  });
});
