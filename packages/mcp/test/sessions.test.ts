import { once } from "node:events";
import { createServer } from "node:http";
import { BoxRunClient } from "boxrun-sdk";
import { describe, expect, it } from "vitest";
import { McpHttp } from "../src/index.ts";
import { httpUrl, startTestServer, TestClient } from "./support/client.ts";

const initialize = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } },
};
const accept = "application/json, text/event-stream";

describe("a session over stdio", () => {
  it("that is ephemeral takes its boxes with it, and no others", async () => {
    await using mcp = await TestClient.overStdio(await startTestServer(), "--ephemeral");
    await using other = await TestClient.overStdio(await startTestServer());
    await mcp.done("box_create", { name: "mine" });
    await other.done("box_create", { name: "kept" });
    await mcp.end();
    await other.end();
    expect(mcp.server.core.boxes.list()).toEqual([]);
    expect(other.server.core.boxes.list()).toMatchObject([{ name: "kept", status: "running" }]);
  });

  it("ends the commands that are waited for when its client goes, and leaves those that run on", async () => {
    await using mcp = await TestClient.overStdio(await startTestServer());
    await mcp.done("box_create", { name: "dev" });
    const { exec_id } = await mcp.done("exec_start", { box: "dev", command: "sleep 601" });
    const { core } = mcp.server;
    const running = (async () => {
      for await (const { event, data } of core.events({ signal: new AbortController().signal }))
        if (event === "exec" && data.cmd.includes("sleep 602")) return data.id;
      return "";
    })();
    mcp.call("exec", { box: "dev", command: "sleep 602" }).catch(() => undefined);
    const waitedFor = await running;
    await mcp.end();
    expect(core.execs.get("dev", waitedFor).status).toBe("canceled");
    expect(core.execs.get("dev", String(exec_id)).status).toBe("running");
  });
});

describe("/mcp", () => {
  it("takes an ephemeral session's boxes with it when its client ends it", async () => {
    await using mcp = await TestClient.overHttp(await startTestServer(), "?ephemeral=true");
    await mcp.done("box_create", { name: "mine" });
    const { core } = mcp.server;
    const removed = (async () => {
      for await (const { event } of core.events({ signal: new AbortController().signal }))
        if (event === "box_removed") return;
    })();
    await mcp.end();
    await removed;
    expect(core.boxes.list()).toEqual([]);
  });

  it("is ended in order by a server that stops: calls are answered, boxes of ephemeral sessions removed", async () => {
    const mcp = await TestClient.overHttp(await startTestServer(), "?ephemeral=1");
    await mcp.done("box_create");
    expect(mcp.server.core.boxes.list()).toHaveLength(1);
    await mcp.server.http.close();
    expect(mcp.server.core.boxes.list()).toEqual([]);
    await mcp.client.close();
    await mcp.server[Symbol.asyncDispose]();
  });

  it("lets in whom the server lets in: no page of another origin, nobody without the token", async () => {
    await using server = await startTestServer({ token: "s3cret", allowedHosts: ["boxes.example"] });
    const call = (headers: Record<string, string>) =>
      fetch(httpUrl(server), {
        method: "POST",
        headers: { "content-type": "application/json", accept, ...headers },
        body: JSON.stringify(initialize),
      });
    const page = await call({ origin: "http://evil.example" });
    expect([page.status, await page.json()]).toMatchObject([403, { code: "FORBIDDEN" }]);
    const badToken = await call({ authorization: "Bearer wrong", "x-forwarded-for": "10.0.0.1" });
    // Loopback, and this user's: as everywhere on this server.
    expect(badToken.status).toBe(200);
    const answer = await call({});
    expect(answer.status).toBe(200);
    expect(answer.headers.get("mcp-session-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    await answer.text();
  });

  it("refuses in the protocol's words what has no session, and in BoxRun's what is no JSON", async () => {
    await using server = await startTestServer();
    const send = (method: string, headers: Record<string, string> = {}, body?: string) =>
      fetch(httpUrl(server), {
        method,
        headers: { accept, "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body }),
      });
    const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
    const answers = [
      await send("POST", {}, ping),
      await send("POST", { "mcp-session-id": "gone" }, ping),
      await send("GET"),
      await send("DELETE", { "mcp-session-id": "gone" }),
      await send("POST", {}, "{"),
      await send("PUT"),
    ];
    const told = await Promise.all(answers.map(async (answer) => [answer.status, await answer.json()]));
    const inItsWords = { jsonrpc: "2.0", error: { message: expect.any(String) }, id: null };
    expect(told).toMatchObject([
      [400, inItsWords],
      [404, inItsWords],
      [400, inItsWords],
      [404, inItsWords],
      [422, { code: "VALIDATION_ERROR" }],
      [404, { code: "NOT_FOUND" }],
    ]);
  });
});

describe("sessions over HTTP", () => {
  it("end when nothing is heard of them, and when there are too many, the quietest first", async () => {
    await using server = await startTestServer();
    await using client = new BoxRunClient({ socketPath: server.http.socketPath });
    const mcp = new McpHttp({ client, version: "1", maxSessions: 2, idleMs: 50 });
    const http = createServer(async (request, response) => {
      const chunks = await Array.fromAsync(request);
      const body = chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
      await mcp.handle(request, response, { body, ephemeral: false });
    });
    await once(http.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${Object(http.address()).port}/`;
    const headers = { "content-type": "application/json", accept };
    const begin = async () => {
      const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(initialize) });
      await answer.text();
      return answer.headers.get("mcp-session-id") ?? "";
    };
    /** The server's own stream, which keeps a session from being quiet. */
    const listen = (id: string) => fetch(url, { headers: { accept, "mcp-session-id": id } });
    const first = await begin();
    const held = await listen(first);
    const second = await begin();
    const third = await begin();
    expect(mcp.sessions).toBe(2);
    expect((await listen(second)).status).toBe(404);
    const ended = await listen(third);
    await ended.body?.cancel();
    // Both the second and the third were quiet for long enough.
    await expect.poll(() => mcp.sessions).toBe(1);
    expect(held.status).toBe(200);
    await mcp.close();
    expect(await held.text()).not.toContain("event:");
    expect(mcp.sessions).toBe(0);
    http.close();
  });
});
