import { describe, expect, it } from "vitest";
import { Resources } from "../src/boxes/resources.ts";
import { batches } from "../src/execs/batches.ts";
import { KeyedLock } from "../src/keyed-lock.ts";
import { ServerEvents } from "../src/server-events.ts";
import { SharedTasks } from "../src/shared-tasks.ts";
import { Wakeups } from "../src/wakeups.ts";

async function* numbers(count: number, onPull: (n: number) => void = () => undefined) {
  for (let n = 0; n < count; n += 1) {
    onPull(n);
    yield n;
  }
}

describe("batches", () => {
  it("hands out every item once and in order", async () => {
    const seen: number[] = [];
    for await (const { items } of batches(numbers(1000), 10, () => 1)) seen.push(...items);
    expect(seen).toEqual(Array.from({ length: 1000 }, (_, n) => n));
  });

  it("stops reading ahead when the weight is reached", async () => {
    let pulled = 0;
    const reader = batches(
      numbers(1000, () => {
        pulled += 1;
      }),
      10,
      () => 1,
    );
    await reader.next();
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    expect(pulled).toBeLessThanOrEqual(22);
    await reader.return(undefined);
  });

  it("tells that a batch is the last one if the end came along with it", async () => {
    const seen = [];
    for await (const batch of batches(numbers(3), 10, () => 1)) seen.push(batch);
    expect(seen).toEqual([{ items: [0, 1, 2], isLast: true }]);
  });

  it("hands out what came before a failure, then fails", async () => {
    async function* failing() {
      yield 1;
      throw new Error("source broke");
    }
    const seen: number[] = [];
    const reading = async () => {
      for await (const { items, isLast } of batches(failing(), 10, () => 1)) {
        expect(isLast).toBe(false);
        seen.push(...items);
      }
    };
    await expect(reading()).rejects.toThrow("source broke");
    expect(seen).toEqual([1]);
  });
});

describe("keyed lock", () => {
  it("lets one at a time into a key, in order, also after a failure", async () => {
    const lock = new KeyedLock();
    const log: string[] = [];
    const task = (name: string, fails = false) =>
      lock.run("box", async () => {
        log.push(`${name} in`);
        await new Promise(setImmediate);
        log.push(`${name} out`);
        if (fails) throw new Error(name);
      });
    const results = await Promise.allSettled([task("a", true), task("b"), task("c")]);
    expect(results.map((result) => result.status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
    expect(log).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
  });
});

describe("wakeups", () => {
  it("remember what happened between two waits", async () => {
    const wakeups = new Wakeups();
    using subscription = wakeups.subscribe("exec");
    wakeups.wake("exec");
    await subscription.next(AbortSignal.timeout(10_000));
    const waiting = subscription.next(AbortSignal.timeout(10_000));
    wakeups.wake("exec");
    await waiting;
  });

  it("end with the signal", async () => {
    using subscription = new Wakeups().subscribe("exec");
    const controller = new AbortController();
    const waiting = subscription.next(controller.signal);
    controller.abort();
    await waiting;
  });
});

describe("shared tasks", () => {
  const joiner = (signal = new AbortController().signal, onProgress: (step: number) => void = () => undefined) => ({
    signal,
    onProgress,
  });

  it("do the work once for ten who ask at the same time, and tell all of them the progress", async () => {
    const tasks = new SharedTasks<string, number>();
    let runs = 0;
    const steps: number[] = [];
    const work = async (_: AbortSignal, onProgress: (step: number) => void) => {
      runs += 1;
      await new Promise(setImmediate);
      onProgress(runs);
      return "done";
    };
    const results = await Promise.all(
      Array.from({ length: 10 }, () =>
        tasks.join(
          "image",
          joiner(undefined, (step) => steps.push(step)),
          work,
        ),
      ),
    );
    expect(new Set(results)).toEqual(new Set(["done"]));
    expect({ runs, steps: steps.length }).toEqual({ runs: 1, steps: 10 });
  });

  it("begin anew once they are done", async () => {
    const tasks = new SharedTasks<number>();
    let done = 0;
    const work = async () => ++done;
    expect(await tasks.join("image", joiner(), work)).toBe(1);
    expect(await tasks.join("image", joiner(), work)).toBe(2);
  });

  it("go on while one who asked is still there; the last to leave does so when the work has cleared up", async () => {
    const tasks = new SharedTasks<void, number>();
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
    const waiting = [first, second].map(({ signal }) => tasks.join("image", joiner(signal), work));
    first.abort(new Error("first left"));
    await expect(waiting[0]).rejects.toThrow("first left");
    expect(cleared).toBe(false);
    second.abort(new Error("second left"));
    await expect(waiting[1]).rejects.toThrow("second left");
    expect(cleared).toBe(true);
  });

  it("are not joined once they are being given up", async () => {
    const tasks = new SharedTasks<string>();
    const impatient = new AbortController();
    const cleared = Promise.withResolvers<void>();
    const first = tasks.join("image", { signal: impatient.signal }, async () => {
      await cleared.promise;
      throw new Error("given up");
    });
    impatient.abort(new Error("left"));
    await new Promise(setImmediate);
    expect(await tasks.join("image", joiner(), async () => "anew")).toBe("anew");
    cleared.resolve();
    await expect(first).rejects.toThrow("left");
  });

  it("fail for everyone who asked, and are tried again afterwards", async () => {
    const tasks = new SharedTasks<string, number>();
    const refused = () => Promise.reject(new Error("refused"));
    const both = [tasks.join("image", joiner(), refused), tasks.join("image", joiner(), refused)];
    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await expect(tasks.join("image", joiner(), refused)).rejects.toThrow("refused");
    await expect(tasks.join("image", joiner(), () => Promise.resolve("done"))).resolves.toBe("done");
  });
});

describe("resources", () => {
  it("refuse what passes a limit and say how much is free", () => {
    const resources = new Resources({ maxCpu: 4, maxMemoryMb: 1000 });
    resources.reserve("a", { cpu: 3, memoryMb: 600, diskSizeGb: 1 });
    expect(() => resources.reserve("b", { cpu: 2, memoryMb: 1, diskSizeGb: 1 })).toThrow(
      /1 of the server's 4 are free/,
    );
    expect(() => resources.reserve("b", { cpu: 1, memoryMb: 500, diskSizeGb: 1 })).toThrow(
      /400 of the server's 1000 MB/,
    );
    expect(resources.used()).toEqual({ cpu: 3, memoryMb: 600 });
  });

  it("come back when released, once", () => {
    const resources = new Resources({ maxCpu: 4, maxMemoryMb: 1000 });
    const all = { cpu: 4, memoryMb: 1000, diskSizeGb: 1 };
    resources.reserve("a", all);
    resources.reserve("a", all);
    resources.release("a");
    resources.release("a");
    resources.reserve("b", all);
    expect(resources.used()).toEqual({ cpu: 4, memoryMb: 1000 });
  });
});

describe("the server's events", () => {
  it("end for the watcher that is furthest behind, when too much waits", async () => {
    const events = new ServerEvents(10);
    const { signal } = new AbortController();
    const seen: string[] = [];
    const moving = (async () => {
      for await (const { data } of events.watch(signal)) if (seen.push(data.id) === 30) return;
    })();
    const stuck = events.watch(signal);
    const first = stuck.next();
    for (let n = 1; n <= 30; n += 1) {
      events.boxRemoved(`box_${n}`);
      await new Promise(setImmediate);
    }
    await moving;
    expect(seen).toHaveLength(30);
    expect((await first).value).toMatchObject({ data: { id: "box_1" } });
    expect((await stuck.next()).done).toBe(true);
  });
});
