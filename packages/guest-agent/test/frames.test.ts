import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { decodeFrames, encodeAck, encodeStart, type Frame } from "../src/frames.ts";
import { decodeGreeting } from "../src/greeting.ts";
import type { ExecStartMessage } from "../src/messages.ts";
import { WireViolation } from "../src/violation.ts";

const fixtures = join(import.meta.dirname, "../../../fixtures/guest-wire");
const load = <T>(name: string, schema: z.ZodType<T>): T =>
  schema.parse(JSON.parse(readFileSync(join(fixtures, name), "utf8")));

const malformed = z.array(z.object({ name: z.string(), hex: z.string() }));
const output = load(
  "output.json",
  z.object({
    samples: z.array(
      z.object({
        name: z.string(),
        type: z.int(),
        offset: z.string(),
        payload_hex: z.string(),
        hex: z.string(),
        exit: z.object({ code: z.int(), reason: z.string(), message: z.string().optional() }).optional(),
      }),
    ),
    malformed,
  }),
);
const acks = load(
  "ack.json",
  z.object({ samples: z.array(z.object({ name: z.string(), stream: z.int(), offset: z.string(), hex: z.string() })) }),
);
const starts = load(
  "start.json",
  z.object({ samples: z.array(z.object({ name: z.string(), start: z.custom<ExecStartMessage>(), hex: z.string() })) }),
);
const greetings = load(
  "greeting.json",
  z.object({ samples: z.array(z.object({ version: z.int(), boot_id: z.string(), hex: z.string() })), malformed }),
);

const bytes = (hex: string) => Buffer.from(hex, "hex");
const countable = (offset: string) => BigInt(offset) <= BigInt(Number.MAX_SAFE_INTEGER);

async function* inPieces(content: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

async function decode(content: Buffer, pieceBytes = content.length): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of decodeFrames(inPieces(content, Math.max(1, pieceBytes)))) frames.push(frame);
  return frames;
}

describe("golden output frames", () => {
  test.each(output.samples.filter(({ offset }) => countable(offset)))("decodes: $name", async (sample) => {
    const [frame, ...more] = await decode(bytes(sample.hex));
    expect(more).toEqual([]);
    if (sample.exit !== undefined) {
      expect(frame).toMatchObject({ type: "exit", exit: { code: sample.exit.code, reason: sample.exit.reason } });
      return;
    }
    expect(frame).toEqual({
      type: sample.type === 1 ? "stdout" : "stderr",
      offset: Number(sample.offset),
      data: bytes(sample.payload_hex),
    });
  });

  test.each(output.samples.filter(({ offset }) => !countable(offset)))("refuses: $name", async (sample) => {
    await expect(decode(bytes(sample.hex))).rejects.toThrow(WireViolation);
  });

  test.each(output.malformed)("refuses: $name", async (sample) => {
    await expect(decode(bytes(sample.hex))).rejects.toThrow(WireViolation);
  });

  test.each([1, 2, 7, 13, 4096])("come out whole from pieces of %i bytes", async (pieceBytes) => {
    const data = output.samples.filter(({ type, offset }) => type !== 3 && countable(offset));
    const exit = output.samples.find(({ type }) => type === 3);
    const content = bytes([...data, exit].map((sample) => sample?.hex ?? "").join(""));
    const frames = await decode(content, pieceBytes);
    expect(frames.map((frame) => (frame.type === "exit" ? "exit" : Buffer.from(frame.data).toString("hex")))).toEqual([
      ...data.map(({ payload_hex }) => payload_hex),
      "exit",
    ]);
  });

  test("nothing may follow an exit", async () => {
    const exit = bytes(output.samples.find(({ type }) => type === 3)?.hex ?? "");
    const stdout = bytes(output.samples[0]?.hex ?? "");
    await expect(decode(Buffer.concat([exit, stdout]))).rejects.toThrow("after the exit");
    await expect(decode(Buffer.concat([exit, stdout]), exit.length)).rejects.toThrow("after the exit");
  });
});

test.each(acks.samples.filter(({ offset }) => countable(offset)))("golden acknowledgement: $name", (sample) => {
  expect(encodeAck(sample.stream === 1 ? "stdout" : "stderr", Number(sample.offset)).toString("hex")).toBe(sample.hex);
});

test.each(starts.samples)("golden start of an exec: $name", ({ start, hex }) => {
  expect(encodeStart(start).toString("hex")).toBe(hex);
});

describe("golden greetings", () => {
  test.each(greetings.samples)("decodes that of $boot_id", ({ hex, version, boot_id }) => {
    expect(decodeGreeting(bytes(hex))).toEqual({ version, bootId: boot_id });
  });

  test.each(greetings.malformed)("refuses: $name", ({ hex }) => {
    expect(decodeGreeting(bytes(hex))).toBeUndefined();
  });
});
