import { once } from "node:events";
import { urls } from "@boxrun/contract";
import { MemoryHost } from "@boxrun/engine-testkit";
import { describe, expect, it } from "vitest";
import { ask, createBox } from "./support/http.ts";
import { startTestServer } from "./support/server.ts";
import { refusal, TestClient } from "./support/terminal.ts";

const never = new Promise<never>(() => undefined);

describe("an attached terminal", () => {
  it("passes bytes both ways, follows its size, and tells the exit code", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    const client = await TestClient.attach(server, urls.attach(id, { cols: 100, rows: 30 }));
    await client.until("$ ");
    client.type("stty size\r");
    await client.until("30 100\n");
    client.socket.send(JSON.stringify({ type: "resize", cols: 120, rows: 40 }));
    await expect
      .poll(async () => {
        client.type("stty size\r");
        await client.until("stty size");
        return client.until("40 120\n").then(() => true);
      })
      .toBe(true);
    client.type("exit 7\r");
    expect(await client.closed()).toEqual({ messages: [{ type: "exit", code: 7 }], code: 1000 });
  });

  it("takes what is typed before the shell is there", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    const hold = server.engine.controls.hold("exec");
    const client = await TestClient.attach(server, urls.attach(id));
    client.type("echo early\r");
    await hold.reached;
    hold.release();
    await client.until("early\n$ ");
  });

  it("leaves one line in the log, without what was typed", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    const client = await TestClient.attach(server, urls.attach(id, { session: "secret-name" }));
    client.type("echo pass-word\rexit\r");
    await client.closed();
    await expect
      .poll(() => server.log().find((line) => line.operation === "attach"))
      .toMatchObject({
        status: 101,
        box_id: id,
      });
    expect(server.rawLog()).not.toMatch(/pass-word|secret-name|hung_up/);
  });

  it("ends its shell when the connection is cut", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    const client = await TestClient.attach(server, urls.attach(id));
    await client.until("$ ");
    expect((await ask(server, "/metrics")).text).toContain("boxrun_sessions 1");
    client.socket.terminate();
    await expect.poll(() => server.host.boxes.get(id)?.execs.size).toBe(0);
    expect((await ask(server, "/metrics")).text).toContain("boxrun_sessions 0");
  });

  it("ends its shell when the client hangs up before the shell is there", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    const hold = server.engine.controls.hold("exec");
    const client = await TestClient.attach(server, urls.attach(id));
    await hold.reached;
    client.socket.terminate();
    hold.release();
    await expect
      .poll(() => [server.engine.controls.calls("exec"), server.host.boxes.get(id)?.execs.size])
      .toEqual([1, 0]);
  });

  it("is cut when the client is dead", async () => {
    await using server = await startTestServer({ tcp: null, heartbeatMs: 20 });
    const { id } = await createBox(server);
    const client = await TestClient.attach(server, urls.attach(id));
    await client.until("$ ");
    // From now on it answers no ping.
    client.socket.pause();
    await expect.poll(() => server.core.sessions.count).toBe(0);
    client.socket.resume();
    expect((await client.closed()).code).toBe(1006);
  });

  it("is kept when the client reads nothing but says that it is there", async () => {
    await using server = await startTestServer({ tcp: null, heartbeatMs: 100 });
    const { id } = await createBox(server);
    const client = await TestClient.attach(server, urls.attach(id, { session: "work" }));
    await client.until("$ ");
    client.socket.pause();
    for (let beat = 0; beat < 20; beat += 1) {
      client.socket.ping();
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect(await server.core.sessions.list(id)).toMatchObject([{ clients: 1 }]);
    client.socket.terminate();
  });

  it("is told when the server stops", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    const client = await TestClient.attach(server, urls.attach(id, { session: "work" }));
    await client.until("$ ");
    const closed = client.closed();
    await server.stop();
    expect(await closed).toEqual({
      messages: [{ type: "error", code: "CANCELED", message: "The server is shutting down" }],
      code: 1001,
    });
  });

  it("is told why its shell can't be started", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    const client = await TestClient.attach(server, urls.attach(id, { shell: "/bin/fish" }));
    expect(await client.closed()).toMatchObject({
      messages: [{ type: "error", code: "RUNTIME_ERROR", message: expect.stringContaining("/bin/fish: not found") }],
    });
  });

  it("is told when its box stops", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    const client = await TestClient.attach(server, urls.attach(id));
    await client.until("$ ");
    const closed = client.closed();
    await ask(server, urls.stopBox(id), { method: "POST" });
    expect((await closed).messages).toEqual([
      { type: "error", code: "BOX_NOT_RUNNING", message: "The box was stopped" },
    ]);
  });
});

describe("a WebSocket is refused before it is one", () => {
  it.each([
    ["of a box that is not there", urls.attach("nobody"), 404, "BOX_NOT_FOUND"],
    ["with a size that is none", "/v1/boxes/dev/attach?cols=0", 422, "VALIDATION_ERROR"],
    ["with a session's name that is none", "/v1/boxes/dev/attach?session=a/b", 422, "VALIDATION_ERROR"],
    ["that shares no session", "/v1/boxes/dev/attach?share=true", 422, "VALIDATION_ERROR"],
    ["with a field that is not known", "/v1/boxes/dev/attach?colour=red", 422, "VALIDATION_ERROR"],
    ["at another address", "/v1/nowhere", 404, "NOT_FOUND"],
  ])("%s", async (_, path, status, code) => {
    await using server = await startTestServer({ tcp: null });
    await createBox(server, { name: "dev" });
    const answer = await refusal(server, path);
    expect([answer.status, answer.json]).toMatchObject([status, { code }]);
  });

  it("of a box that is stopped", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    await ask(server, urls.stopBox(id), { method: "POST" });
    expect(await refusal(server, urls.attach(id))).toMatchObject({ status: 400, json: { code: "BOX_NOT_RUNNING" } });
  });

  it("from a page of another origin, or under another name", async () => {
    await using server = await startTestServer();
    const { id } = await createBox(server);
    for (const headers of [{ origin: "http://evil.example" }, { host: "evil.example" }] as Record<string, string>[]) {
      const answer = await refusal(server, urls.attach(id), { via: "tcp", headers });
      expect([answer.status, answer.json]).toMatchObject([403, { code: "FORBIDDEN" }]);
    }
    expect(server.core.sessions.count).toBe(0);
    const own = { origin: `http://127.0.0.1:${server.http.tcp?.port}` };
    const client = await TestClient.attach(server, urls.attach(id), { via: "tcp", headers: own });
    await client.until("$ ");
    client.socket.terminate();
  });

  it("without the token where that is asked for", async () => {
    await using server = await startTestServer({ token: "t0ken", tcp: { host: "0.0.0.0", port: 0 } });
    const { id } = await createBox(server);
    const answer = await refusal(server, urls.attach(id), { via: "tcp" });
    expect([answer.status, answer.json]).toMatchObject([401, { code: "UNAUTHORIZED" }]);
    const headers = { authorization: "Bearer t0ken" };
    const client = await TestClient.attach(server, urls.attach(id), { via: "tcp", headers });
    await client.until("$ ");
    client.socket.terminate();
  });

  it("if it is an ordinary request, or not one of WebSocket's", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    const plain = await ask(server, urls.attach(id));
    expect([plain.status, plain.json]).toMatchObject([426, { code: "VALIDATION_ERROR" }]);
    const upgrade = { connection: "upgrade", upgrade: "websocket" };
    const keyless = await ask(server, urls.attach(id), { headers: { ...upgrade, "sec-websocket-version": "13" } });
    expect([keyless.status, keyless.json]).toMatchObject([400, { code: "VALIDATION_ERROR" }]);
    // What speaks another protocol, or posts, is served as if it had not asked.
    const other = await ask(server, urls.box(id), { headers: { connection: "upgrade", upgrade: "h2c" } });
    expect(other.status).toBe(200);
    const elsewhere = await ask(server, urls.box(id), { headers: upgrade });
    expect(elsewhere.status).toBe(200);
  });
});

describe("a client that says something wrong is told so and closed", () => {
  it.each([
    ["text that is no JSON", "ls\r", "VALIDATION_ERROR", 1008],
    ["a message of no known type", '{"type":"signal"}', "VALIDATION_ERROR", 1008],
    ["a size that is none", '{"type":"resize","cols":-1,"rows":2.5}', "VALIDATION_ERROR", 1008],
    ["more in one frame than is taken", Buffer.alloc(1024 * 1024 + 1), "PAYLOAD_TOO_LARGE", 1009],
  ])("%s", async (_, frame, errorCode, code) => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    const client = await TestClient.attach(server, urls.attach(id));
    await client.until("$ ");
    client.socket.send(frame);
    expect(await client.closed()).toMatchObject({ messages: [{ type: "error", code: errorCode }], code });
    await expect.poll(() => server.core.sessions.count).toBe(0);
  });

  it("a frame that is far too long, or broken, closes the connection and nothing else", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server);
    const tooLong = await TestClient.attach(server, urls.attach(id));
    tooLong.socket.send(Buffer.alloc(5 * 1024 * 1024));
    expect((await tooLong.closed()).code).toBe(1009);
    const broken = await TestClient.attach(server, urls.attach(id));
    await broken.until("$ ");
    // A reserved opcode, not masked.
    Object.getOwnPropertyDescriptor(broken.socket, "_socket")?.value.write(Buffer.from([0x8b, 0x00]));
    expect((await broken.closed()).code).toBe(1002);
    await expect.poll(() => server.core.sessions.count).toBe(0);
    expect((await ask(server, urls.health())).status).toBe(200);
  });
});

describe("sessions over the API", () => {
  it("are listed, shared, taken over, and removed", async () => {
    await using server = await startTestServer({ tcp: null });
    const { id } = await createBox(server, { name: "dev" });
    const path = urls.attach("dev", { session: "work" });
    const first = await TestClient.attach(server, path);
    await first.until("$ ");
    const joined = await TestClient.attach(server, urls.attach("dev", { session: "work", share: true }));
    await joined.until("$ ");
    joined.type("echo to-both\r");
    await Promise.all([first.until("to-both\n"), joined.until("to-both\n")]);
    expect((await ask(server, urls.sessions("dev"))).json).toMatchObject([{ name: "work", box_id: id, clients: 2 }]);

    const closed = Promise.all([first.closed(), joined.closed()]);
    const next = await TestClient.attach(server, path);
    for (const { messages } of await closed) {
      expect(messages).toEqual([{ type: "error", code: "CANCELED", message: "Another client took over session work" }]);
    }
    await next.until("to-both\n$ ");
    const nextClosed = next.closed();
    expect((await ask(server, urls.session("dev", "work"), { method: "DELETE" })).json).toEqual({ ok: true });
    expect((await nextClosed).messages).toMatchObject([{ code: "CANCELED", message: "Session work was removed" }]);
    expect((await ask(server, urls.sessions("dev"))).json).toEqual([]);
    const again = await ask(server, urls.session("dev", "work"), { method: "DELETE" });
    expect([again.status, again.json]).toMatchObject([404, { code: "SESSION_NOT_FOUND" }]);
  });

  it("come back with the next server", async () => {
    const host = new MemoryHost();
    const server = await startTestServer({ tcp: null, host });
    const { id } = await createBox(server);
    const client = await TestClient.attach(server, urls.attach(id, { session: "work" }));
    client.type("echo kept\r");
    await client.until("kept\n$ ");
    await server.stop();
    await using next = await startTestServer({ tcp: null, host, stateDir: server.stateDir });
    const back = await TestClient.attach(next, urls.attach(id, { session: "work" }));
    await back.until("kept\n$ ");
    back.socket.terminate();
  });
});

describe("a client that does not read", () => {
  it("stops the program and costs no memory; then it gets every byte", async () => {
    const totalBytes = 64 * 1024 * 1024;
    let written = 0;
    await using server = await startTestServer({
      tcp: null,
      programs: {
        flood: async ({ stdout }) => {
          const piece = Buffer.alloc(64 * 1024, "x");
          while (written < totalBytes) {
            await stdout(piece);
            written += piece.length;
          }
          return 0;
        },
      },
    });
    const { id } = await createBox(server);
    const before = process.memoryUsage().rss;
    const client = await TestClient.attach(server, urls.attach(id, { shell: "flood" }));
    client.socket.pause();
    let seen = -1;
    while (written > seen) {
      seen = written;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(written).toBeLessThan(8 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(48 * 1024 * 1024);
    client.socket.resume();
    expect((await client.closed()).messages).toEqual([{ type: "exit", code: 0 }]);
    expect(client.bytes).toBe(totalBytes);
  });

  it("is not read from while the program takes no input", async () => {
    await using server = await startTestServer({ tcp: null, programs: { deaf: () => never } });
    const { id } = await createBox(server);
    const client = await TestClient.attach(server, urls.attach(id, { shell: "deaf" }));
    const frame = Buffer.alloc(64 * 1024);
    let sent = 0;
    for (; sent < 512; sent += 1) {
      const taken = new Promise((resolve) => client.socket.send(frame, resolve));
      const waited = new Promise((resolve) => setTimeout(resolve, 500, "full"));
      if ((await Promise.race([taken, waited])) === "full") break;
    }
    expect(sent).toBeLessThan(256);
    client.socket.terminate();
    await once(client.socket, "close");
    await ask(server, urls.removeBox(id, true), { method: "DELETE" });
  });
});
