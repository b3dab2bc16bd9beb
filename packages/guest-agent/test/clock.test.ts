import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { socketAddress } from "../src/address.ts";
import { GuestClock } from "../src/clock.ts";
import { AgentLine } from "../src/line.ts";
import { okSchema } from "../src/messages.ts";
import { requestJson } from "../src/requests.ts";
import { startFakeAgent } from "./support/fake-agent.ts";

const dir = mkdtempSync(join(tmpdir(), "bc-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let sockets = 0;

/** A guest with a clock of its own, which the host looks at as the test says. */
async function guest() {
  const state = { offMs: 0, isHeld: false, jumpMs: 0, obeys: true, mayAnswer: Promise.resolve() };
  const sets: number[] = [];
  let told: () => void = () => undefined;
  let looked: () => void = () => undefined;
  const agent = await startFakeAgent(join(dir, `${sockets++}.sock`), (stream, { path }) => {
    let body = "";
    stream.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    stream.once("end", async () => {
      if (path === "/clock") {
        sets.push(Number(BigInt(JSON.parse(body).unix_ns) / 1_000_000n) - Date.now());
        if (state.obeys) state.offMs = 0;
        told();
        await state.mayAnswer;
      }
      stream.respond({ ":status": 200, date: new Date(Date.now() + state.offMs).toUTCString() });
      stream.end('{"ok":true}');
    });
  });
  const line = new AgentLine(socketAddress(agent.path));
  await line.open(AbortSignal.timeout(5000));
  const gone = new AbortController();
  new GuestClock(line, {
    isHeld: () => {
      looked();
      return state.isHeld;
    },
    gone: gone.signal,
    lookEveryMs: 5,
    now: () => ({ wallMs: Date.now() + state.jumpMs, steadyMs: performance.now() }),
  });
  onTestFinished(async () => {
    gone.abort();
    line.end(new BoxRunError("RUNTIME_ERROR", "the test is over"));
    await agent[Symbol.asyncDispose]();
  });
  return {
    state,
    sets,
    ask: () => requestJson(line, "GET", "/hello", okSchema, { body: {} }),
    /** The host has seen what is now. */
    nextLook: () =>
      new Promise<void>((resolve) => {
        looked = resolve;
      }),
    nextSet: () =>
      new Promise<void>((resolve) => {
        told = resolve;
      }),
  };
}

test.each([-3_600_000, -5000, 5000, 180 * 24 * 3_600_000])(
  "an answer whose time is off by %i ms sets the guest's clock, and one that is right does not",
  async (offMs) => {
    const { state, sets, ask, nextSet } = await guest();
    await ask();
    expect(sets).toEqual([]);
    state.offMs = offMs;
    const set = nextSet();
    await ask();
    await set;
    expect(Math.abs(sets[0] ?? Number.NaN)).toBeLessThan(60_000);
    await ask();
    expect(sets).toHaveLength(1);
  },
);

test("a guest that was held gets the time when it goes on, and one whose host's clock has jumped gets the new one", async () => {
  const { state, sets, nextLook, nextSet } = await guest();
  let set = nextSet();
  state.isHeld = true;
  await nextLook();
  expect(sets).toEqual([]);
  state.isHeld = false;
  await set;
  set = nextSet();
  state.jumpMs = 1_000_000;
  await set;
  expect(sets[1]).toBeGreaterThan(900_000);
});

test("a host's clock that jumps while a guest is being told the time is told behind it", async () => {
  const { state, sets, nextLook, nextSet } = await guest();
  const answer = Promise.withResolvers<void>();
  state.mayAnswer = answer.promise;
  let set = nextSet();
  state.jumpMs = 1_000_000;
  await set;
  set = nextSet();
  state.jumpMs = 2_000_000;
  await nextLook();
  answer.resolve();
  await set;
  expect(sets[1]).toBeGreaterThan(1_900_000);
});

test("a guest that shows another time on purpose is not told more often than now and then", async () => {
  const { state, sets, ask } = await guest();
  state.obeys = false;
  state.offMs = 86_400_000;
  for (let n = 0; n < 50; n++) await ask();
  expect(sets.length).toBeLessThan(5);
});
