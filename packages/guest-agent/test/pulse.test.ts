import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer } from "node:http2";
import { duplexPair } from "node:stream";
import { afterEach, expect, test, vi } from "vitest";
import { Pulse } from "../src/pulse.ts";

afterEach(() => vi.useRealTimers());

const unexpected = (reason: Error) => {
  throw reason;
};

/** A session with an agent that answers pings. */
async function answered(): Promise<{ session: ClientHttp2Session; pings: EventTarget }> {
  const [ours, theirs] = duplexPair();
  const pings = new EventTarget();
  const server = createServer();
  server.on("session", (session) => session.on("ping", () => pings.dispatchEvent(new Event("ping"))));
  server.emit("connection", theirs);
  const session = connect("http://agent", { createConnection: () => ours });
  await once(session, "remoteSettings");
  return { session, pings };
}

test("while a request is under way the agent is asked again and again, and answering keeps the session open", async () => {
  const { session, pings } = await answered();
  const pulse = new Pulse(session, unexpected, { everyMs: 5, limitMs: 60_000 });
  pulse.begin();
  for (let n = 0; n < 3; n++) await once(pings, "ping");
  expect(session.destroyed).toBe(false);
  pulse.end();
  session.destroy();
});

test("a session whose agent stays silent is given up, with the reason", async () => {
  const [ours] = duplexPair();
  const session = connect("http://agent", { createConnection: () => ours });
  session.on("error", () => undefined);
  const reason = await new Promise<Error>((resolve) =>
    new Pulse(session, resolve, { everyMs: 5, limitMs: 50 }).begin(),
  );
  expect(reason.message).toBe("the agent has not answered a ping for 0.05 s");
  session.destroy();
  ours.destroy();
});

test("it beats as long as there is a request, and not longer", async () => {
  const { session } = await answered();
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const pulse = new Pulse(session, unexpected);
  expect(vi.getTimerCount()).toBe(0);
  pulse.begin();
  pulse.begin();
  expect(vi.getTimerCount()).toBe(1);
  pulse.end();
  expect(vi.getTimerCount()).toBe(1);
  pulse.end();
  expect(vi.getTimerCount()).toBe(0);
  session.destroy();
});
