import { connect, type Socket } from "node:net";
import { Turns } from "@boxrun/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SendBudget } from "../src/send-budget.ts";
import { ask, createBox, frames, startExec } from "./support/http.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

const mib = 1024 * 1024;
const readers = 600;
const maxHeldBytes = 8 * mib;

describe("600 readers that don't read", () => {
  let server: TestServer;
  let path: string;
  const sockets: Socket[] = [];
  beforeAll(async () => {
    server = await startTestServer({
      tcp: null,
      maxHeldBytes,
      programs: {
        lines: async ({ stdout }) => {
          const lines = "a line of text, as programs write them\n".repeat(1024);
          for (let count = 0; count < 100; count += 1) await stdout(lines);
          return 0;
        },
      },
    });
    const box = await createBox(server);
    const exec = await startExec(server, box.id, ["lines"]);
    await server.core.execs.wait(box.id, exec.id);
    path = `/v1/boxes/${box.id}/exec/${exec.id}/events`;
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await server[Symbol.asyncDispose]();
  });

  const gauge = async (name: string) => {
    const { text } = await ask(server, "/metrics");
    return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
  };

  it("hold no more of the server's memory than it allows all of them together", async () => {
    for (let count = 0; count < readers; count += 1) {
      const socket = connect(server.http.socketPath);
      socket.on("error", () => undefined).pause();
      socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
      sockets.push(socket);
      // Those before it were accepted then: no more than a hundred wait for that.
      if (count % 100 === 99) await gauge("boxrun_sse_readers");
    }
    let most = 0;
    // Each of them would hold an event, which is 40 KiB here: more than is allowed. Those that have waited for longest are cut off.
    await expect
      .poll(async () => {
        most = Math.max(most, await gauge("boxrun_sse_held_bytes"));
        return gauge("boxrun_sse_readers");
      })
      .toBeLessThan(readers / 2);
    expect(most).toBeGreaterThan(maxHeldBytes / 2);
    expect(most).toBeLessThanOrEqual(maxHeldBytes);
  });

  it("are no reason for another to miss anything", async () => {
    const events = frames((await ask(server, path)).text);
    expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => String(index + 1)));
    expect(events.at(-1)?.event).toBe("exit");
  });

  it("leave nothing behind when they are gone", async () => {
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => gauge("boxrun_sse_readers")).toBe(0);
    expect(await gauge("boxrun_sse_held_bytes")).toBe(0);
  });
});

describe("fair turns", () => {
  it("give the loop to others after a few pieces, and come in the order of the calls", async () => {
    const turns = new Turns(4);
    const order: number[] = [];
    const work = Promise.all(Array.from({ length: 40 }, (_, n) => turns.taken(1).then(() => order.push(n))));
    const perTurn: number[] = [];
    for (let before = 0; before < 40; before = order.length) {
      await new Promise(setImmediate);
      perTurn.push(order.length - before);
    }
    await work;
    expect(order).toEqual(Array.from({ length: 40 }, (_, n) => n));
    // Ours is between two of its turns, or beside one.
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(8);
  });
});

describe("the budget", () => {
  const connection = () => ({
    isCutOff: false,
    destroy(): void {
      this.isCutOff = true;
    },
  });

  it("cuts off who has stood still for longest, and nobody while there is room", () => {
    const budget = new SendBudget(100);
    const [first, second, third] = [connection(), connection(), connection()];
    budget.hold(first, 40);
    budget.hold(second, 40);
    budget.hold(first, 20);
    expect([first.isCutOff, second.isCutOff, budget.bytes]).toEqual([false, false, 60]);
    budget.hold(third, 50);
    expect([first.isCutOff, second.isCutOff, third.isCutOff, budget.bytes]).toEqual([false, true, false, 70]);
    budget.release(third);
    budget.release(third);
    expect(budget.bytes).toBe(20);
  });
});
