import { type HistoryEntry, historyEntrySchema } from "@boxrun/contract";
import { describe, expect, it } from "vitest";
import { type Ask, ask, createBox, startExec } from "./support/http.ts";
import { startTestServer, type TestServer } from "./support/server.ts";
import { TestClient } from "./support/terminal.ts";

const token = "s3cret-t0ken-of-the-tests";
const loopback = { kind: "loopback", uid: process.getuid?.() ?? null };
const socket = { kind: "socket", uid: process.getuid?.() ?? null };

async function history(server: TestServer, query = ""): Promise<HistoryEntry[]> {
  const answer = await ask(server, `/v1/history${query}`);
  expect(answer.status).toBe(200);
  return historyEntrySchema.array().parse(answer.json);
}

const actions = (entries: readonly HistoryEntry[]) => entries.map(({ action }) => action);

describe("the history", () => {
  it("has what was done to a box, by whom and with what, also when the box is gone", async () => {
    await using server = await startTestServer({ programs: { sh: async () => 0 } });
    const box = await createBox(server, { name: "dev" });
    const exec = await startExec(server, "dev", ["echo", "hello"]);
    const client = await TestClient.attach(server, "/v1/boxes/dev/attach?session=work");
    await ask(server, "/v1/boxes/dev/files/download", { body: { path: "/etc/hostname" } });
    const post: Ask = { method: "POST", via: "tcp", headers: { "user-agent": "robot/1.0" } };
    await ask(server, "/v1/boxes/dev:stop", post);
    client.socket.close();
    await ask(server, "/v1/boxes/dev", { method: "DELETE" });
    const entries = await history(server, "?box=dev");
    expect(actions(entries)).toEqual(["remove", "stop", "download", "attach", "exec", "create"]);
    expect(entries.every(({ box_id, error_code }) => box_id === box.id && error_code === null)).toBe(true);
    const [remove, stop, download, attach, run, create] = entries;
    expect(create).toMatchObject({ box_name: "dev", target: "base", caller: socket, user_agent: null, cmd: null });
    expect(run).toMatchObject({ cmd: ["echo", "hello"], exec_id: exec.id });
    expect(attach).toMatchObject({ target: "work" });
    expect(download).toMatchObject({ target: "/etc/hostname" });
    expect(stop).toMatchObject({ caller: loopback, user_agent: "robot/1.0" });
    expect(remove).toMatchObject({ box_name: "dev" });
    expect(await history(server, `?box=${box.id}`)).toEqual(entries);
  });

  it("names who called with the token", async () => {
    await using server = await startTestServer({ token });
    const box = await createBox(server);
    const headers = { authorization: `Bearer ${token}` };
    await ask(server, `/v1/boxes/${box.id}:stop`, { method: "POST", via: "tcp", headers });
    expect((await history(server))[0]).toMatchObject({ action: "stop", caller: { kind: "token", uid: null } });
  });

  it("has what failed, with how, but nothing of what was asked of no box", async () => {
    await using server = await startTestServer();
    const box = await createBox(server);
    await ask(server, `/v1/boxes/${box.id}:start`, { method: "POST" });
    await ask(server, "/v1/boxes/nope:start", { method: "POST" });
    await ask(server, "/v1/boxes", { body: { image: "" } });
    await ask(server, "/v1/boxes");
    const [failed, ...before] = await history(server);
    expect(failed).toMatchObject({ action: "start", box_id: box.id, error_code: "BOX_ALREADY_RUNNING" });
    expect(actions(before)).toEqual(["create"]);
  });

  it("keeps no secret that its name tells, and no long text", async () => {
    await using server = await startTestServer();
    const box = await createBox(server, { name: "dev", env: { API_TOKEN: "hidden-1" } });
    const words = [
      "curl",
      "--password",
      "hidden-2",
      "TOKEN=hidden-3",
      "--api-key=hidden-4",
      "https://me:hidden-5@host/",
      "-v",
    ];
    await startExec(server, box.id, words);
    await startExec(server, box.id, ["echo", "x".repeat(100_000), ...Array(1_000).fill("y".repeat(100))]);
    const [long, secret] = await history(server);
    expect(secret?.cmd).toEqual([
      "curl",
      "--password",
      "***",
      "TOKEN=***",
      "--api-key=***",
      "https://me:***@host/",
      "-v",
    ]);
    expect(JSON.stringify(long?.cmd).length).toBeLessThan(8_000);
    expect(JSON.stringify(await history(server))).not.toContain("hidden-");
  });

  it("keeps no arguments at all where the setting says so", async () => {
    await using server = await startTestServer({ historyArguments: "omit" });
    const box = await createBox(server);
    await startExec(server, box.id, ["echo", "what nobody has to know"]);
    await ask(server, "/v1/run", { body: { image: "base", cpu: 1, memory_mb: 64, cmd: ["echo", "nor this"] } });
    const [run, exec] = await history(server);
    expect([run?.cmd, exec?.cmd]).toEqual([["echo"], ["echo"]]);
  });

  it("comes in pages, newest first, and what is newer than an entry", async () => {
    await using server = await startTestServer();
    const box = await createBox(server);
    for (let count = 0; count < 5; count += 1) await startExec(server, box.id, ["echo", String(count)]);
    const seen: HistoryEntry[] = [];
    let cursor: string | undefined = "";
    while (cursor !== undefined) {
      const answer = await ask(server, `/v1/history?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
      seen.push(...historyEntrySchema.array().parse(answer.json));
      const next = answer.headers["boxrun-next-cursor"];
      cursor = typeof next === "string" ? next : undefined;
    }
    expect(seen.map(({ cmd }) => cmd?.[1])).toEqual(["4", "3", "2", "1", "0", undefined]);
    const third = seen[2]?.seq ?? 0;
    expect((await history(server, `?after=${third}`)).map(({ cmd }) => cmd?.[1])).toEqual(["4", "3"]);
    expect((await ask(server, "/v1/history?limit=0")).status).toBe(422);
  });

  it("is there again when the server is", async () => {
    await using server = await startTestServer();
    await createBox(server, { name: "dev" });
    const { stateDir } = server;
    await server.stop();
    await using next = await startTestServer({ stateDir });
    expect(actions(await history(next, "?box=dev"))).toEqual(["create"]);
  });
});
