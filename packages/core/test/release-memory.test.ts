import { expect, test } from "vitest";
import { releaseMemory } from "../src/index.ts";

const kib = 1024;

test("memory is given back at once if all of it is these bytes', and it is worth it", () => {
  const whole = Buffer.allocUnsafeSlow(64 * kib);
  releaseMemory(whole);
  expect(whole.length).toBe(0);
  // Once more is nothing.
  releaseMemory(whole);
  const small = new Uint8Array(8 * kib);
  releaseMemory(small);
  expect(small.length).toBe(8 * kib);
});

test("what others look at, too, stays", () => {
  const all = new Uint8Array(64 * kib).fill(7);
  const part = all.subarray(1);
  releaseMemory(part);
  expect(part.every((byte) => byte === 7)).toBe(true);
  const shared = new Uint8Array(new SharedArrayBuffer(64 * kib));
  releaseMemory(shared);
  expect(shared.length).toBe(64 * kib);
});
