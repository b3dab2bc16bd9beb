import { expect, test } from "vitest";
import { SharedLook } from "../src/shared-look.ts";

/** A look that ends when the test says so. */
function heldLook() {
  const ends: ((error?: Error) => void)[] = [];
  const shared = new SharedLook(() => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const number = ends.length + 1;
    ends.push((error) => (error === undefined ? resolve(number) : reject(error)));
    return promise;
  });
  return { shared, ends };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("thousands that ask at once are served by one look, and who asks during it by the next: none sees what was before it asked", async () => {
  const { shared, ends } = heldLook();
  const first = Promise.all(Array.from({ length: 6000 }, () => shared.next()));
  await turn();
  const late = Promise.all(Array.from({ length: 6000 }, () => shared.next()));
  await turn();
  expect(ends).toHaveLength(1);
  ends[0]?.();
  expect(new Set(await first)).toEqual(new Set([1]));
  await turn();
  expect(ends).toHaveLength(2);
  ends[1]?.();
  expect(new Set(await late)).toEqual(new Set([2]));
});

test("a look that fails fails those who waited for it, and nobody later", async () => {
  const { shared, ends } = heldLook();
  const failing = shared.next();
  await turn();
  const later = shared.next();
  ends[0]?.(new Error("no /proc"));
  await expect(failing).rejects.toThrow("no /proc");
  await turn();
  ends[1]?.();
  expect(await later).toBe(2);
});
