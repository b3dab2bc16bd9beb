import { once } from "node:events";
import { urls } from "@boxrun/contract";
import type { Program } from "@boxrun/engine-testkit";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { ask, createBox } from "./support/http.ts";
import { startTestServer } from "./support/server.ts";
import { refusal, TestClient } from "./support/terminal.ts";

const end = JSON.stringify({ type: "end" });

/** `serve PORT PROGRAM…`: what a test wants to reach. */
async function serving(program: string) {
  const server = await startTestServer({ tcp: null });
  const { id } = await createBox(server);
  const cmd = ["nc", "-ll", "-p", "80", "-e", ...program.split(" ")];
  await ask(server, urls.startExec(id), { body: { cmd } });
  return { server, id, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

describe("a connection to a port", () => {
  it("passes bytes both ways, and each direction ends by itself", async () => {
    await using box = await serving("cat");
    const client = await TestClient.attach(box.server, urls.port(box.id, 80));
    client.type("one");
    await client.until("one");
    client.type("two");
    client.socket.send(end);
    expect(await client.closed()).toEqual({ messages: [{ type: "end" }], code: 1000 });
    await client.until("onetwo");
  });

  it("hears a program out that says its last word first", async () => {
    await using box = await serving("echo good-bye");
    const client = await TestClient.attach(box.server, urls.port(box.id, 80));
    await client.until("good-bye\n");
    await expect.poll(() => client.messages).toEqual([{ type: "end" }]);
    client.socket.send(end);
    expect((await client.closed()).code).toBe(1000);
  });

  it("stays when nothing is said on it for ten minutes, by the server's clock", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    await using box = await serving("cat");
    const client = await TestClient.attach(box.server, urls.port(box.id, 80));
    client.type("one");
    await client.until("one");
    for (let seconds = 0; seconds < 600; seconds += 30) {
      const asked = once(client.socket, "ping");
      vi.advanceTimersByTime(30_000);
      await asked;
      // It comes behind the answer to that ping.
      client.socket.ping();
      await once(client.socket, "pong");
    }
    client.type("two");
    await client.until("onetwo");
    client.socket.send(end);
    expect((await client.closed()).code).toBe(1000);
  });

  it("is told before the upgrade what is wrong with it", async () => {
    await using box = await serving("cat");
    expect(await refusal(box.server, urls.port(box.id, 81))).toMatchObject({
      status: 400,
      json: { code: "PORT_REFUSED" },
    });
    expect(await refusal(box.server, `${urls.ports(box.id)}/http`)).toMatchObject({
      status: 422,
      json: { code: "VALIDATION_ERROR", message: expect.stringContaining("1 to 65535") },
    });
    expect(await refusal(box.server, urls.port("nobody", 80))).toMatchObject({ json: { code: "BOX_NOT_FOUND" } });
    expect(await ask(box.server, urls.port(box.id, 80))).toMatchObject({ status: 426 });
    // None of these has reached the program.
    expect(box.server.engine.controls.calls("connect")).toBe(1);
  });

  it("ends with an error when the box does, and when the server stops", async () => {
    await using box = await serving("cat");
    const client = await TestClient.attach(box.server, urls.port(box.id, 80));
    await ask(box.server, urls.stopBox(box.id), { method: "POST" });
    expect(await client.closed()).toMatchObject({ messages: [{ type: "error" }], code: 1011 });
  });

  it("refuses a text frame that is no message, and bytes behind the end", async () => {
    await using box = await serving("cat");
    for (const send of [["what?"], [JSON.stringify({ type: "stop" })], [end, Buffer.from("more")]]) {
      const client = await TestClient.attach(box.server, urls.port(box.id, 80));
      // So that the connection is still there when what follows comes.
      if (send.length === 1) client.type("x");
      for (const frame of send) client.socket.send(frame);
      const { messages } = await client.closed();
      if (send.length === 1) expect(messages).toMatchObject([{ type: "error", code: "VALIDATION_ERROR" }]);
    }
  });

  it("is closed in the box when its client is gone", async () => {
    const gone = Promise.withResolvers<void>();
    const until: Program = async ({ stdin }) => {
      try {
        for await (const _ of stdin);
      } finally {
        gone.resolve();
      }
      return 0;
    };
    await using server = await startTestServer({ tcp: null, programs: { until } });
    const { id } = await createBox(server);
    await ask(server, urls.startExec(id), { body: { cmd: ["nc", "-ll", "-p", "80", "-e", "until"] } });
    const client = await TestClient.attach(server, urls.port(id, 80));
    client.socket.terminate();
    await gone.promise;
  });

  it("does not read from a client whose bytes the program does not take", async () => {
    const stubborn: Program = ({ killed }) => once(killed, "abort").then(() => 0);
    await using server = await startTestServer({ tcp: null, programs: { stubborn } });
    const { id } = await createBox(server);
    await ask(server, urls.startExec(id), { body: { cmd: ["nc", "-ll", "-p", "80", "-e", "stubborn"] } });
    const client = await TestClient.attach(server, urls.port(id, 80));
    for (let sent = 0; sent < 64; sent += 1) client.socket.send(Buffer.alloc(512 * 1024));
    // A socket takes some MB; the rest waits at the client.
    await expect.poll(() => client.socket.bufferedAmount).toBeGreaterThan(16 * 1024 * 1024);
    const other = await TestClient.attach(server, urls.port(id, 80));
    other.type("meanwhile");
    expect(client.socket.bufferedAmount).toBeGreaterThan(16 * 1024 * 1024);
  });
});

describe("the ports of a box", () => {
  it("are listed with who listens, and whether they can be reached", async () => {
    await using box = await serving("cat");
    expect((await ask(box.server, urls.ports(box.id))).json).toEqual([
      { port: 80, address: "127.0.0.1", pid: 2, process: "nc", reachable: true },
    ]);
  });
});
