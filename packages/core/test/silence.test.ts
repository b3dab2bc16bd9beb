import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TestClock } from "./support/clock.ts";
import { CoreHarness, never, stdout } from "./support/core.ts";
import { TestTerminal } from "./support/terminal.ts";

/** A box whose agent does not answer, or answers and does nothing: what a server knows of it, and what it makes of that. */
let harness: CoreHarness;
let clock: TestClock;
let box: string;

beforeEach(async () => {
  clock = new TestClock();
  harness = await CoreHarness.open({ clock });
  box = (await harness.create({ cpu: 1, memory_mb: 100 })).id;
});
afterEach(() => harness[Symbol.asyncDispose]());

const exec = (id: string) => harness.core.execs.get(box, id);
const type = (id: string, text: string) =>
  harness.core.execs.writeStdin(box, id, Readable.from([Buffer.from(text)]), { eof: true, signal: never });

describe("a box whose network or volume does not work", () => {
  it("says so, to watchers too, and no longer when it works again or the box is stopped", async () => {
    const told: (string | undefined)[] = [];
    const watching = new AbortController();
    const watch = (async () => {
      for await (const change of harness.core.events({ signal: watching.signal })) {
        if (change.event === "box") told.push(change.data.impaired);
      }
    })();
    const { boxes } = harness.core;
    await clock.advance(1);
    harness.engine.impair(box, "the network does not work");
    expect(boxes.get(box)).toMatchObject({ status: "running", impaired: "the network does not work" });
    await clock.advance(1);
    harness.engine.impair(box, undefined);
    expect(boxes.get(box)).not.toHaveProperty("impaired");
    await clock.advance(1);
    harness.engine.impair(box, "the volume /data does not work");
    await clock.advance(1);
    await boxes.stop(box);
    expect(boxes.get(box)).not.toHaveProperty("impaired");
    watching.abort();
    await watch;
    expect(told.filter((impaired) => impaired !== undefined)).toEqual([
      ...["the network does not work", "the volume /data does not work"],
    ]);
  });
});

describe("a box that falls silent", () => {
  it("keeps its commands, and each goes on behind its last byte when the box answers again", async () => {
    const { id } = await harness.start(box, ["sh", "-c", "seq 20000; cat; exit 7"], { stdin: true });
    await clock.advance(1);
    harness.host.silence(box, "nobody is there");
    await clock.advance(3_600_000);
    expect(exec(id)).toMatchObject({ status: "running", error_message: null });
    expect(harness.core.boxes.get(box)).toMatchObject({ status: "running", unreachable: "nobody is there" });
    expect((await harness.core.info()).used_memory_mb).toBe(100);
    harness.host.answer(box);
    await clock.advance(60_000);
    expect(harness.core.boxes.get(box)).not.toHaveProperty("unreachable");
    await type(id, "the end");
    const numbers = Array.from({ length: 20_000 }, (_, n) => `${n + 1}\n`).join("");
    expect(stdout(await harness.events(box, id))).toBe(`${numbers}the end`);
    expect(exec(id)).toMatchObject({ status: "failed", exit_code: 7 });
  });

  it("loses a command only by its own word", async () => {
    const { id } = await harness.start(box, ["cat"], { stdin: true });
    harness.host.silence(box);
    await clock.advance(1);
    harness.host.boxes.get(box)?.execs.clear();
    harness.host.answer(box);
    await clock.advance(60_000);
    expect(exec(id)).toMatchObject({ status: "failed", error_message: expect.stringContaining("no longer has") });
  });

  it("is told to watchers, and that it answers again", async () => {
    const told: (string | undefined)[] = [];
    const watching = new AbortController();
    const watch = (async () => {
      for await (const change of harness.core.events({ signal: watching.signal })) {
        if (change.event === "box") told.push(change.data.unreachable);
      }
    })();
    await harness.start(box, ["cat"], { stdin: true });
    harness.host.silence(box, "nobody is there");
    await clock.advance(1);
    harness.host.answer(box);
    await clock.advance(60_000);
    watching.abort();
    await watch;
    expect(told).toEqual(["nobody is there", undefined]);
  });

  it("refuses a new command after a while, and says why; nothing of it is left", async () => {
    harness.engine.controls.failNext("exec", new BoxRunError("BOX_UNREACHABLE", "no answer to the start"));
    harness.host.silence(box, "nobody is there");
    const first = await harness.start(box, ["true"]);
    // Whether the box has it is not known, so that it is neither failed nor forgotten.
    expect(exec(first.id).status).toBe("running");
    const refused = harness.start(box, ["true"]).catch((error: unknown) => error);
    await clock.advance(30_000);
    expect(await refused).toMatchObject({
      code: "BOX_UNREACHABLE",
      message: expect.stringContaining("nobody is there"),
    });
    expect(harness.core.execs.list(box).items).toHaveLength(1);
    harness.host.answer(box);
    await clock.advance(60_000);
    expect(exec(first.id)).toMatchObject({ status: "succeeded" });
  });

  it("holds up a cancel no longer than 15 s, and the command ends with a reason that claims no more than is known", async () => {
    const { id } = await harness.start(box, ["cat"], { stdin: true });
    harness.host.silence(box);
    await clock.advance(1);
    const canceled = harness.core.execs.cancel(box, id);
    await clock.advance(15_000);
    expect(await canceled).toMatchObject({
      status: "canceled",
      exit_code: null,
      error_message: expect.stringContaining("it may still run"),
    });
  });

  describe("and has not confirmed in time that a command ended", () => {
    const program = (id: string) => harness.host.boxes.get(box)?.execs.get(id);
    const confirmed = (id: string) => program(id)?.hasEnded !== false;

    it.each(["cancel", "timeout"])("is told again when it answers: %s", async (why) => {
      const { id } = await harness.start(box, ["cat"], {
        stdin: true,
        ...(why === "timeout" && { timeout_ms: 1_000 }),
      });
      harness.host.silence(box);
      await clock.advance(1);
      const canceled = why === "cancel" ? harness.core.execs.cancel(box, id) : undefined;
      await clock.advance(16_000);
      await canceled;
      expect(exec(id).status).toBe(why === "cancel" ? "canceled" : "timeout");
      expect(confirmed(id)).toBe(false);
      harness.host.answer(box);
      await clock.advance(60_000);
      await vi.waitFor(() => expect(program(id)).toBeUndefined());
      await vi.waitFor(() => expect(exec(id).error_message).toMatch(/; that it ended was confirmed later$/));
    });

    /** Does not end in time, with the server that it was told to end by. */
    async function overdue(cmd: readonly string[]): Promise<string> {
      const { id } = await harness.start(box, cmd, { stdin: true });
      harness.host.silence(box);
      await clock.advance(1);
      const canceled = harness.core.execs.cancel(box, id);
      await clock.advance(15_000);
      await canceled;
      return id;
    }

    it("is told by no server any more once it has confirmed it", async () => {
      const id = await overdue(["cat"]);
      expect(harness.store.unconfirmedEnds.list()).toMatchObject([{ execId: id }]);
      await harness.restart();
      expect(harness.store.unconfirmedEnds.list()).toMatchObject([{ execId: id }]);
      harness.host.answer(box);
      await clock.advance(60_000);
      await vi.waitFor(() => expect(harness.store.unconfirmedEnds.list()).toEqual([]));
      await harness.restart();
      await clock.advance(60_000);
      expect(harness.engine.controls.calls("resumeExec")).toBe(0);
    });

    it("is told again where it could not be told", async () => {
      const id = await overdue(["cat"]);
      harness.engine.controls.failNext("resumeExec", new BoxRunError("RUNTIME_ERROR", "an answer that makes no sense"));
      harness.host.answer(box);
      await clock.advance(60_000);
      await vi.waitFor(() => expect(harness.store.unconfirmedEnds.list()).toEqual([]));
      expect(program(id)).toBeUndefined();
    });

    it.each(["stop", "kill", "kill, with no server"])("has confirmed it by its own end: %s", async (how) => {
      await overdue(["cat"]);
      if (how === "stop") await harness.core.boxes.stop(box);
      else if (how === "kill") harness.host.kill(box);
      else {
        await harness.close();
        harness.host.kill(box);
        await harness.restart();
      }
      await vi.waitFor(() => expect(harness.store.unconfirmedEnds.list()).toEqual([]));
    });

    it("is told by the next server, and by the one behind that, whatever it has written and forgotten meanwhile", async () => {
      await harness[Symbol.asyncDispose]();
      const noise = async ({ stdout: write }: { stdout: (data: Uint8Array) => Promise<void> }) => {
        for (;;) {
          await write(Buffer.alloc(32 * 1024));
          await nextTurn();
        }
      };
      harness = await CoreHarness.open({ clock, engine: { programs: { noise } } });
      box = (await harness.create()).id;
      const id = await overdue(["noise"]);
      const ended = program(id);
      if (ended === undefined) throw new Error("the box has no such program");
      ended.ignoresEnds = true;
      harness.host.answer(box);
      const acknowledged = () => harness.store.unconfirmedEnds.list()[0]?.acknowledged.stdout ?? 0;
      for (const bytes of [1_000_000, 2_000_000]) {
        await clock.advance(60_000);
        await vi.waitFor(() => expect(acknowledged()).toBeGreaterThan(bytes));
        await harness.restart();
      }
      ended.ignoresEnds = false;
      await harness.restart();
      await vi.waitFor(() => expect(harness.store.unconfirmedEnds.list()).toEqual([]));
      expect(program(id)).toBeUndefined();
    });

    it("is told by the next server", async () => {
      const { id } = await harness.start(box, ["cat"], { stdin: true });
      harness.host.silence(box);
      await clock.advance(1);
      const canceled = harness.core.execs.cancel(box, id);
      await clock.advance(15_000);
      await canceled;
      await harness.close();
      expect(confirmed(id)).toBe(false);
      await harness.restart();
      harness.host.answer(box);
      await clock.advance(60_000);
      await vi.waitFor(() => expect(program(id)).toBeUndefined());
      expect(exec(id)).toMatchObject({ status: "canceled", exit_code: null });
    });

    it("is told also if it hears of the command only now", async () => {
      const hold = harness.engine.controls.hold("exec");
      const starting = harness.start(box, ["cat"], { stdin: true });
      await hold.reached;
      const [{ id } = { id: "" }] = harness.core.execs.list(box).items;
      const canceled = harness.core.execs.cancel(box, id);
      await clock.advance(15_000);
      expect(await canceled).toMatchObject({ status: "canceled" });
      await starting;
      hold.release();
      await clock.advance(1);
      await vi.waitFor(() => expect(confirmed(id)).toBe(true));
      expect(harness.engine.controls.calls("resumeExec")).toBe(1);
    });

    it("is told to end a session that was removed, too", async () => {
      const terminal = await TestTerminal.attach(harness.core, box, { session: "work" });
      await terminal.until("$ ");
      const shells = () => harness.host.boxes.get(box)?.execs.size;
      harness.host.silence(box);
      await clock.advance(1);
      const removed = harness.core.sessions.remove(box, "work").catch((error: unknown) => error);
      await clock.advance(15_000);
      expect(await removed).toMatchObject({ code: "BOX_UNREACHABLE" });
      expect(shells()).toBe(1);
      harness.host.answer(box);
      await clock.advance(60_000);
      await vi.waitFor(() => expect(shells()).toBe(0));
    });

    it("is told by the next server to end a session that was removed", async () => {
      const terminal = await TestTerminal.attach(harness.core, box, { session: "work" });
      await terminal.until("$ ");
      harness.host.silence(box);
      await clock.advance(1);
      const removed = harness.core.sessions.remove(box, "work").catch((error: unknown) => error);
      await clock.advance(15_000);
      await removed;
      await harness.restart();
      expect(harness.host.boxes.get(box)?.execs.size).toBe(1);
      harness.host.answer(box);
      await clock.advance(60_000);
      await vi.waitFor(() => expect(harness.host.boxes.get(box)?.execs.size).toBe(0));
      expect(harness.store.unconfirmedEnds.list()).toEqual([]);
    });
  });

  it("is stopped, and its commands with it", async () => {
    const { id } = await harness.start(box, ["cat"], { stdin: true });
    harness.host.silence(box);
    await clock.advance(5_000);
    expect(await harness.core.boxes.stop(box)).toMatchObject({ status: "stopped" });
    expect(harness.core.boxes.get(box)).not.toHaveProperty("unreachable");
    expect(exec(id)).toMatchObject({ status: "failed", error_message: "The box was stopped" });
    const asked = harness.engine.controls.calls("adopt");
    await clock.advance(3_600_000);
    expect(harness.engine.controls.calls("adopt")).toBe(asked);
  });

  it("is stopped at once while an attempt to reach it is under way", async () => {
    await harness.start(box, ["cat"], { stdin: true });
    const hold = harness.engine.controls.hold("adopt");
    harness.host.silence(box);
    await clock.advance(1_000);
    await hold.reached;
    expect(await harness.core.boxes.stop(box)).toMatchObject({ status: "stopped" });
  });

  it.each([0, 60_000])(
    "is not waited for without end by a stop, and is found to be dead when its engine has ended it after all, %i ms later",
    async (ms) => {
      const hold = harness.engine.controls.hold("stop");
      const stopped = harness.core.boxes.stop(box, 5_000).catch((error: unknown) => error);
      await hold.reached;
      await clock.advance(65_000);
      expect(await stopped).toMatchObject({ code: "BOX_UNREACHABLE" });
      expect(harness.core.boxes.get(box)).toMatchObject({ status: "running", unreachable: expect.any(String) });
      // It may answer meanwhile.
      await clock.advance(ms);
      hold.release();
      await clock.advance(60_000);
      expect(harness.core.boxes.get(box)).toMatchObject({ status: "error" });
    },
  );

  it("that turns out to be dead is shown so", async () => {
    const { id } = await harness.start(box, ["cat"], { stdin: true });
    harness.host.silence(box);
    await clock.advance(1);
    const memoryBox = harness.host.boxes.get(box);
    if (memoryBox !== undefined) memoryBox.state = "dead";
    await clock.advance(60_000);
    expect(harness.core.boxes.get(box)).toMatchObject({
      status: "error",
      error_message: expect.stringContaining("could not be reached"),
    });
    expect(exec(id)).toMatchObject({ status: "failed", error_message: expect.stringContaining("VM ended") });
    expect((await harness.core.info()).used_memory_mb).toBe(0);
  });

  it("is tried again with growing pauses", async () => {
    await harness.start(box, ["cat"], { stdin: true });
    harness.host.silence(box);
    await clock.advance(3_600_000);
    // 0.5, 1, 2, 4, 8 and 16 s, and every 30 s from there on.
    expect(harness.engine.controls.calls("adopt")).toBe(Math.floor(6 + (3_600 - 31.5) / 30));
  });
});

describe("a box that is silent when a server starts", () => {
  it("is unreachable and keeps its commands, which go on when it answers", async () => {
    const { id } = await harness.start(box, ["cat"], { stdin: true });
    await harness.close();
    harness.host.silence(box, "another protocol");
    await harness.restart();
    expect(harness.core.boxes.get(box)).toMatchObject({ status: "running", unreachable: "another protocol" });
    expect(exec(id).status).toBe("running");
    await clock.advance(600_000);
    harness.host.answer(box);
    await clock.advance(60_000);
    await type(id, "still here");
    expect(stdout(await harness.events(box, id))).toBe("still here");
  });

  it("is not taken for dead if its engine fails", async () => {
    await harness.close();
    harness.host.silence(box);
    await harness.restart();
    harness.engine.controls.failNext("adopt", new BoxRunError("RUNTIME_ERROR", "the engine's home is locked"));
    await clock.advance(500);
    expect(harness.core.boxes.get(box)).toMatchObject({
      status: "running",
      unreachable: "the engine's home is locked",
    });
  });

  it("keeps its sessions, and what was on their screens", async () => {
    const terminal = await TestTerminal.attach(harness.core, box, { session: "work" });
    await terminal.until("$ ");
    await terminal.type("echo before\r");
    await terminal.until("before\n");
    await harness.close();
    harness.host.silence(box);
    await harness.restart();
    expect(await harness.core.sessions.list(box)).toMatchObject([{ name: "work" }]);
    harness.host.answer(box);
    await clock.advance(60_000);
    const again = await TestTerminal.attach(harness.core, box, { session: "work" });
    await again.until("echo before");
    await again.type("echo after\r");
    await again.until("after\n");
  });
});

describe("a box whose agent answers and ends nothing", () => {
  beforeEach(() => harness.host.ignoreEnds(box));

  it("a timeout ends the command 15 s late, and says that its box has not confirmed it", async () => {
    const { id } = await harness.start(box, ["cat"], { stdin: true, timeout_ms: 5_000 });
    await clock.advance(19_999);
    expect(exec(id).status).toBe("running");
    await clock.advance(1);
    expect(exec(id)).toMatchObject({
      status: "timeout",
      exit_code: null,
      error_message: expect.stringContaining("may still run"),
    });
    expect((await harness.events(box, id)).at(-1)?.kind).toBe("exit");
  });

  it("a timeout goes on over a restart of the server, and gives what is overdue the grace that a box gets", async () => {
    const { id } = await harness.start(box, ["cat"], { stdin: true, timeout_ms: 5_000 });
    await harness.close();
    await clock.advance(60_000);
    await harness.restart();
    await clock.advance(14_999);
    expect(exec(id).status).toBe("running");
    await clock.advance(1);
    expect(exec(id).status).toBe("timeout");
  });

  it("a canceled command ends after 15 s, and its output until then is kept", async () => {
    const { id } = await harness.start(box, ["sh", "-c", "echo said; cat"], { stdin: true });
    await clock.advance(1);
    const canceled = harness.core.execs.cancel(box, id);
    await clock.advance(15_000);
    expect(await canceled).toMatchObject({
      status: "canceled",
      error_message: expect.stringContaining("may still run"),
    });
    expect(stdout(await harness.events(box, id))).toBe("said\n");
  });

  it("a session is given up after 15 s, and whoever removes it is told that nothing is confirmed", async () => {
    const terminal = await TestTerminal.attach(harness.core, box, { session: "work" });
    await terminal.until("$ ");
    const removed = harness.core.sessions.remove(box, "work").catch((error: unknown) => error);
    await clock.advance(15_000);
    expect(await removed).toMatchObject({ code: "BOX_UNREACHABLE", message: expect.stringContaining("may still run") });
    expect(await harness.core.sessions.list(box)).toEqual([]);
    expect((await terminal.terminal.end).kind).toBe("error");
  });

  it("a store that can't be written to is no silence of the box", async () => {
    const { output } = harness.store;
    const append = output.append.bind(output);
    const full = Promise.withResolvers<void>();
    output.append = async (...args) => {
      await full.promise;
      return append(...args);
    };
    const { id } = await harness.start(box, ["sh", "-c", "echo said; cat"], { stdin: true, timeout_ms: 1_000 });
    await clock.advance(600_000);
    expect(exec(id).status).toBe("running");
    full.resolve();
    await clock.advance(10_000);
    expect(exec(id).status).toBe("timeout");
    expect(stdout(await harness.events(box, id))).toBe("said\n");
  });
});
