import { KeyedLock } from "@boxrun/core";
import { expect, test } from "vitest";
import { SharedTasks } from "../src/disks/shared-task.ts";
import { Slots } from "../src/vm/slots.ts";

const never = () => new AbortController().signal;

test("work that ten ask for at once is done once, and all get its result", async () => {
  const tasks = new SharedTasks<number>();
  let done = 0;
  const work = async () => ++done;
  expect(await Promise.all(Array.from({ length: 10 }, () => tasks.run("k", never(), work)))).toEqual(Array(10).fill(1));
  expect(await tasks.run("k", never(), work)).toBe(2);
});

test("shared work goes on while one still wants it, and is aborted when the last has left", async () => {
  const tasks = new SharedTasks<void>();
  const [first, second] = [new AbortController(), new AbortController()];
  let cleared = false;
  const work = (signal: AbortSignal) =>
    new Promise<void>((_, reject) => {
      signal.addEventListener("abort", () =>
        setImmediate(() => {
          cleared = true;
          reject(signal.reason);
        }),
      );
    });
  const waiting = [tasks.run("k", first.signal, work), tasks.run("k", second.signal, work)];
  first.abort(new Error("first left"));
  await expect(waiting[0]).rejects.toThrow("first left");
  expect(cleared).toBe(false);
  second.abort(new Error("second left"));
  await expect(waiting[1]).rejects.toThrow("second left");
  // Whoever left last returned only when the work had cleared up.
  expect(cleared).toBe(true);
});

test("a failure of shared work reaches everyone, and the next one tries anew", async () => {
  const tasks = new SharedTasks<string>();
  const failing = async () => {
    throw new Error("no room");
  };
  const both = await Promise.allSettled([tasks.run("k", never(), failing), tasks.run("k", never(), failing)]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await tasks.run("k", never(), async () => "fine")).toBe("fine");
});

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
