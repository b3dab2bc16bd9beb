import { KeyedLock } from "@boxrun/core";
import { expect, test } from "vitest";
import { Slots } from "../src/vm/slots.ts";

const never = () => new AbortController().signal;

test("no more than so many hold a slot, those who wait are served in order, and one that gives up is skipped", async () => {
  const slots = new Slots(2);
  const order: string[] = [];
  const ends = new Map<string, () => void>();
  const task = (name: string, signal = never()) =>
    slots.run(signal, () => {
      order.push(name);
      return new Promise<void>((resolve) => ends.set(name, resolve));
    });
  const [a, b] = [task("a"), task("b")];
  const impatient = new AbortController();
  const c = task("c", impatient.signal);
  const d = task("d");
  await new Promise(setImmediate);
  expect(order).toEqual(["a", "b"]);
  impatient.abort(new Error("too slow"));
  await expect(c).rejects.toThrow("too slow");
  ends.get("a")?.();
  await a;
  await new Promise(setImmediate);
  expect(order).toEqual(["a", "b", "d"]);
  ends.get("b")?.();
  ends.get("d")?.();
  await Promise.all([b, d]);
});

test("holders of one key take turns, also after a failure; other keys don't wait", async () => {
  const lock = new KeyedLock();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = lock.run("box", async () => {
    await gate.promise;
    order.push("first");
    throw new Error("failed");
  });
  const second = lock.run("box", async () => {
    order.push("second");
  });
  await lock.run("other", async () => {
    order.push("other");
  });
  gate.resolve();
  await expect(first).rejects.toThrow("failed");
  await second;
  expect(order).toEqual(["other", "first", "second"]);
});
