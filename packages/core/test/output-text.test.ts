import { describe, expect, it } from "vitest";
import { OutputText } from "../src/execs/output-text.ts";

/** Feeds the bytes in pieces of `size` and puts back together what came out. */
function through(bytes: Buffer, size: number): { readonly bytes: Buffer; readonly base64: boolean[] } {
  const text = new OutputText("stdout");
  const events = [];
  for (let at = 0; at < bytes.length; at += size) events.push(...text.add(bytes.subarray(at, at + size)));
  events.push(...text.end());
  return {
    bytes: Buffer.concat(events.map((event) => Buffer.from(event.data, event.base64 ? "base64" : "utf8"))),
    base64: events.map((event) => event.base64),
  };
}

describe("output text", () => {
  const utf8 = Buffer.from("plain, grün, 日本語, 🦊🦊, \u0000, \ufeffBOM");

  it.each([1, 2, 3, 5, 7, 1000])("puts characters cut every %i bytes together again", (size) => {
    const { bytes, base64 } = through(utf8, size);
    expect(bytes).toEqual(utf8);
    expect(base64).not.toContain(true);
  });

  it.each([1, 2, 3, 64, 1000])("keeps every byte of binary output read %i at a time", (size) => {
    const binary = Buffer.from(Array.from({ length: 1024 }, (_, index) => (index * 151) % 256));
    expect(through(binary, size).bytes).toEqual(binary);
  });

  it("marks what is not UTF-8 as base64", () => {
    expect(new OutputText("stderr").add(Buffer.from([0xff, 0xfe, 0x41]))).toEqual([
      { stream: "stderr", data: "//5B", base64: true, bytes: 3 },
    ]);
  });

  it("holds at most three bytes, and gives them out at the end", () => {
    const text = new OutputText("stdout");
    expect(text.add(Buffer.from([0x41, 0xf0, 0x9f, 0xa6]))).toHaveLength(1);
    expect(text.heldBytes).toBe(3);
    expect(text.end()).toEqual([{ stream: "stdout", data: "8J+m", base64: true, bytes: 3 }]);
    expect(text.heldBytes).toBe(0);
  });

  it("does not wait for a character that can't be completed", () => {
    const text = new OutputText("stdout");
    expect(text.add(Buffer.from([0x41, 0x80, 0x80, 0x80, 0x80]))).toHaveLength(1);
    expect(text.heldBytes).toBe(0);
  });
});
