import { describe, expect, it } from "vitest";
import { ringBytes } from "../src/sessions/ring.ts";
import { CoreHarness } from "./support/core.ts";
import { TestTerminal } from "./support/terminal.ts";

const clear = "\x1b[m\x1b[r\x1b[H\x1b[2J";

describe("a shell without a name", () => {
  it("runs what is typed and tells its exit code", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    const terminal = await TestTerminal.attach(harness.core, id, { cols: "100", rows: "30" });
    await terminal.until("$ ");
    await terminal.type("stty size\r");
    expect(await terminal.until("30 100\n$ ")).toContain("stty size\r\n");
    await terminal.type("exit 7\r");
    expect(await terminal.rest()).toBe("exit 7\r\n");
    expect(await terminal.terminal.end).toEqual({ kind: "exit", code: 7 });
    expect(harness.core.sessions.count).toBe(0);
    expect(harness.store.sessions.list()).toEqual([]);
  });

  it("has the environment of the box, and what a login sets", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create({ env: { COLOUR: "red", LANG: "de_DE.UTF-8" }, workdir: "/tmp" });
    const terminal = await TestTerminal.attach(harness.core, id, { term: "screen" });
    await terminal.until("$ ");
    await terminal.type("env\r");
    const text = await terminal.until("\n$ ");
    for (const line of ["COLOUR=red", "LANG=de_DE.UTF-8", "TERM=screen", "USER=root", "HOME=/root", "SHELL=/bin/sh"]) {
      expect(text).toContain(`${line}\n`);
    }
    await terminal.type("pwd\r");
    await terminal.until("/tmp\n");
  });

  it("ends with its client", async () => {
    await using harness = await CoreHarness.open({ engine: { killGraceMs: 50 } });
    const { id } = await harness.create();
    const terminal = await TestTerminal.attach(harness.core, id);
    await terminal.until("$ ");
    terminal.terminal.leave();
    await expect.poll(() => harness.host.boxes.get(id)?.execs.size).toBe(0);
    expect(harness.store.sessions.list()).toEqual([]);
    expect(await harness.core.sessions.list(id)).toEqual([]);
  });

  it("is refused with the reason if it can't be started", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    const terminal = await TestTerminal.attach(harness.core, id, { shell: "/bin/fish" });
    expect(await terminal.rest()).toBe("");
    expect(await terminal.terminal.end).toMatchObject({
      kind: "error",
      error: { code: "RUNTIME_ERROR", message: expect.stringContaining("/bin/fish: not found") },
    });
  });

  it("is ended by the next server if the last one was killed", async () => {
    await using harness = await CoreHarness.open({ engine: { killGraceMs: 50 } });
    const { id } = await harness.create();
    const terminal = await TestTerminal.attach(harness.core, id);
    await terminal.until("$ ");
    await harness.crash();
    expect(harness.host.boxes.get(id)?.execs.size).toBe(1);
    await harness.restart();
    await expect.poll(() => harness.host.boxes.get(id)?.execs.size).toBe(0);
    expect(harness.store.sessions.list()).toEqual([]);
  });

  it("needs a running box, and an engine that has terminals", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    await harness.core.boxes.stop(id);
    await expect(harness.core.sessions.check(id)).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
    await expect(harness.core.sessions.check("nobody")).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
    await using plain = await CoreHarness.open({ engine: { capabilities: [] } });
    const box = await plain.create();
    await expect(TestTerminal.attach(plain.core, box.id)).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });
});

describe("a session", () => {
  it("goes on without a client and shows the next one the same screen", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    const first = await TestTerminal.attach(harness.core, id, { session: "work" });
    await first.until("$ ");
    await first.type("echo one\r");
    await first.until("one\n$ ");
    first.terminal.leave();
    expect(await harness.core.sessions.list(id)).toMatchObject([{ name: "work", clients: 0, survives_server: true }]);
    const second = await TestTerminal.attach(harness.core, id, { session: "work", cols: "120", rows: "50" });
    expect(await second.until("one\n$ ")).toBe(`${clear}$ echo one\r\none\n$ `);
    await second.type("stty size\r");
    await second.until("50 120\n");
  });

  it("does not ask the next client's terminal what the first one has answered", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    const first = await TestTerminal.attach(harness.core, id, { session: "work" });
    await first.until("$ ");
    const queries = [
      "\\033[6n",
      "\\033[c",
      "\\033[>0c",
      "\\033]11;?\\007",
      "\\033[?2026$p",
      "\\033P+q544e\\033\\\\",
      "\\033[18t",
    ];
    await first.type(`printf 'a${queries.join("b")}\\033[1mcé'\r`);
    await first.until("\x1b[1mcé$ ");
    first.terminal.leave();
    const second = await TestTerminal.attach(harness.core, id, { session: "work" });
    const text = await second.until("\x1b[1mcé$ ");
    expect(text.endsWith("abbbbbb\x1b[1mcé$ ")).toBe(true);
  });

  it("is started once for ten who come at the same time", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    const terminals = await Promise.all(
      Array.from({ length: 10 }, () => TestTerminal.attach(harness.core, id, { session: "work", share: "true" })),
    );
    expect(harness.engine.controls.calls("exec")).toBe(1);
    await terminals[0]?.type("echo hello\r");
    await Promise.all(terminals.map((terminal) => terminal.until("hello\n$ ")));
    expect(await harness.core.sessions.list(id)).toMatchObject([{ clients: 10 }]);
  });

  it("is taken over by the next client, and the one before is told", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    const first = await TestTerminal.attach(harness.core, id, { session: "work" });
    await first.until("$ ");
    const second = await TestTerminal.attach(harness.core, id, { session: "work" });
    await first.rest();
    expect(await first.terminal.end).toMatchObject({
      kind: "error",
      error: { code: "CANCELED", message: "Another client took over session work" },
    });
    await second.until("$ ");
    await second.type("exit\r");
    await second.rest();
    expect(await second.terminal.end).toEqual({ kind: "exit", code: 0 });
    expect(await harness.core.sessions.list(id)).toEqual([]);
  });

  it("shared by several has the size that all of them can show", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    const wide = await TestTerminal.attach(harness.core, id, { session: "work", cols: "200", rows: "20" });
    const tall = await TestTerminal.attach(harness.core, id, { session: "work", share: "1", cols: "80", rows: "60" });
    await wide.until("$ ");
    const size = async () => {
      await wide.type("stty size\r");
      return (await wide.until("\n$ ")).match(/\d+ \d+/)?.[0];
    };
    await expect.poll(size).toBe("20 80");
    tall.terminal.resize({ cols: 90, rows: 10 });
    await expect.poll(size).toBe("10 90");
    tall.terminal.leave();
    await expect.poll(size).toBe("20 200");
  });

  it("ends for all its clients with the shell, or when it is removed", async () => {
    await using harness = await CoreHarness.open({ engine: { killGraceMs: 50 } });
    const { id } = await harness.create();
    const terminals = [
      await TestTerminal.attach(harness.core, id, { session: "work" }),
      await TestTerminal.attach(harness.core, id, { session: "work", share: "true" }),
    ];
    await harness.core.sessions.remove(id, "work");
    for (const { terminal } of terminals) {
      expect(await terminal.end).toMatchObject({ kind: "error", error: { message: "Session work was removed" } });
    }
    expect(harness.host.boxes.get(id)?.execs.size).toBe(0);
    await expect(harness.core.sessions.remove(id, "work")).rejects.toMatchObject({ code: "SESSION_NOT_FOUND" });
  });

  it.each([
    ["stops", (harness: CoreHarness, id: string) => harness.core.boxes.stop(id), "The box was stopped"],
    [
      "is removed",
      (harness: CoreHarness, id: string) => harness.core.boxes.remove(id, { force: true }),
      "The box was removed",
    ],
  ])("ends with a box that %s", async (_, end, message) => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    const { terminal } = await TestTerminal.attach(harness.core, id, { session: "work" });
    await end(harness, id);
    expect(await terminal.end).toMatchObject({ kind: "error", error: { code: "BOX_NOT_RUNNING", message } });
    expect(harness.store.sessions.list()).toEqual([]);
  });

  it("ends with a box that dies", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    const { terminal } = await TestTerminal.attach(harness.core, id, { session: "work" });
    harness.host.kill(id, "out of memory");
    const end = await terminal.end;
    expect(end).toMatchObject({ kind: "error" });
    expect(JSON.stringify(end)).toContain("out of memory");
    await expect.poll(() => harness.core.sessions.count).toBe(0);
  });

  it("goes on with its screen after a server that was killed", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    const first = await TestTerminal.attach(harness.core, id, { session: "work" });
    await first.until("$ ");
    await first.type("echo before\r");
    await first.until("before\n$ ");
    await harness.crash();
    await harness.restart();
    expect(await harness.core.sessions.list(id)).toMatchObject([{ name: "work", clients: 0 }]);
    const second = await TestTerminal.attach(harness.core, id, { session: "work" });
    expect(await second.until("before\n$ ")).toBe(`${clear}$ echo before\r\nbefore\n$ `);
    await second.type("echo after\r");
    await second.until("after\n$ ");
  });

  it("is told to go on when the server stops, unless its engine can't keep it", async () => {
    await using harness = await CoreHarness.open();
    const { id } = await harness.create();
    const { terminal } = await TestTerminal.attach(harness.core, id, { session: "work" });
    await harness.restart();
    expect(JSON.stringify(await terminal.end)).toContain("session work goes on");
    expect(await harness.core.sessions.list(id)).toHaveLength(1);

    await using plain = await CoreHarness.open({ engine: { capabilities: ["tty"], killGraceMs: 50 } });
    const box = await plain.create();
    const other = await TestTerminal.attach(plain.core, box.id, { session: "work" });
    expect(await plain.core.sessions.list(box.id)).toMatchObject([{ survives_server: false }]);
    await plain.restart();
    expect(JSON.stringify(await other.terminal.end)).toContain("session work ends");
    expect(plain.host.boxes.get(box.id)?.execs.size).toBe(0);
  });
});

describe("output of a terminal", () => {
  /** Writes so many numbered lines of 1 KiB; how many it has got rid of is counted. */
  const writer = (lines: number, count: { written: number }) => ({
    async lines({ stdout }: { stdout: (text: string) => Promise<void> }) {
      for (let n = 0; n < lines; n += 1) {
        await stdout(`${String(n).padStart(1023, ".")}\n`);
        count.written += 1;
      }
      return 0;
    },
  });

  it("waits for a client that does not read, and comes whole when it does", async () => {
    const count = { written: 0 };
    await using harness = await CoreHarness.open({ engine: { programs: writer(10_000, count) } });
    const { id } = await harness.create();
    const terminal = await TestTerminal.attach(harness.core, id, { session: "work", shell: "lines" });
    await terminal.next();
    let before = -1;
    while (count.written > before) {
      before = count.written;
      for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    }
    // What the engine and the ring hold.
    expect(count.written).toBeLessThan(1600);
    const text = await terminal.rest();
    expect(text.endsWith(`${String(9999).padStart(1023, ".")}\n`)).toBe(true);
    expect(count.written).toBe(10_000);
  });

  it.each<[string, (harness: CoreHarness, id: string) => Promise<void> | void]>([
    ["is removed", (harness, id) => harness.core.sessions.remove(id, "work")],
    ["was in a box that is stopped", (harness, id) => harness.core.boxes.stop(id)],
    ["was in a box that is removed", (harness, id) => harness.core.boxes.remove(id, { force: true })],
    ["was in a box that dies", (harness, id) => harness.host.kill(id, "out of memory")],
  ])("holds up no session that %s", async (_, end) => {
    const count = { written: 0 };
    const engine = { programs: writer(10_000, count), killGraceMs: 50 };
    await using harness = await CoreHarness.open({ engine });
    const { id } = await harness.create();
    const terminal = await TestTerminal.attach(harness.core, id, { session: "work", shell: "lines" });
    await terminal.next();
    await expect.poll(() => count.written).toBeGreaterThan(200);
    await end(harness, id);
    expect(await terminal.terminal.end).toMatchObject({ kind: "error" });
    await expect.poll(() => harness.core.sessions.count).toBe(0);
  });

  it("goes by when nobody is attached, and the newest of it is shown to the next client", async () => {
    const count = { written: 0 };
    await using harness = await CoreHarness.open({ engine: { programs: { ...writer(10_000, count) } } });
    const { id } = await harness.create();
    const first = await TestTerminal.attach(harness.core, id, { session: "work" });
    await first.until("$ ");
    await first.type("lines\r");
    first.terminal.leave();
    await expect.poll(() => count.written, { timeout: 20_000 }).toBe(10_000);
    // The server is killed: what it had in its ring is still with the engine.
    await harness.crash();
    await harness.restart();
    const second = await TestTerminal.attach(harness.core, id, { session: "work" });
    const text = await second.until("\n$ ");
    expect(text.startsWith(clear)).toBe(true);
    expect(text.length).toBeGreaterThan(ringBytes);
    expect(text).toContain(`${String(9999).padStart(1023, ".")}\n$ `);
    expect(harness.store.sessions.list()[0]?.outputOffset).toBeGreaterThan(9_000_000);
  });

  it("comes at the pace of the fastest client; a slower one is reset and shown the newest", async () => {
    const count = { written: 0 };
    await using harness = await CoreHarness.open({ engine: { programs: writer(3_000, count) } });
    const { id } = await harness.create();
    const slow = await TestTerminal.attach(harness.core, id, { session: "work" });
    await slow.until("$ ");
    const fast = await TestTerminal.attach(harness.core, id, { session: "work", share: "true" });
    await fast.type("lines\r");
    await fast.until(`${String(2999).padStart(1023, ".")}\n`);
    const text = await slow.until("2999\n");
    expect(text).toContain("\x1bc");
    expect(text.length).toBeLessThan(1_000_000);
  });
});
