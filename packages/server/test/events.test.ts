import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { BoxRunError, execSchema } from "@boxrun/contract";
import type { Program } from "@boxrun/engine-testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, createBox, frames, read, readUntil, response, send, startExec } from "./support/http.ts";
import { type Pull, pulledImage } from "./support/image-content.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

/** Writes lines for as long as it is told to, and a last one. */
const gate: { open: () => void } = { open: () => undefined };
const gated: Program = async ({ stdout, killed }) => {
  await stdout("before\n");
  await new Promise<void>((resolve) => {
    gate.open = resolve;
    killed.addEventListener("abort", () => resolve());
  });
  await stdout("after\n");
  return 0;
};
const flood: Program = async ({ stdout, killed }) => {
  const line = `${"x".repeat(1023)}\n`;
  for (let count = 0; count < 60_000 && !killed.aborted; count += 1) await stdout(line);
  return 0;
};

const pullAborted = Promise.withResolvers<void>();
const pull: Pull = async (reference, { signal, onProgress }) => {
  if (reference === "missing:1") throw new BoxRunError("IMAGE_PULL_FAILED", "Cannot pull missing:1: manifest unknown");
  await nextTurn();
  onProgress({ message: "Copying layer", layer: "a", done_bytes: 1, total_bytes: 2 });
  if (reference === "slow:1") {
    await once(signal, "abort");
    pullAborted.resolve();
    signal.throwIfAborted();
  }
  onProgress({ message: "Copying layer", layer: "a", done_bytes: 2, total_bytes: 2 });
  return pulledImage;
};

let server: TestServer;
let boxId: string;
beforeAll(async () => {
  server = await startTestServer({ programs: { gated, flood }, pull, heartbeatMs: 50 });
  boxId = (await createBox(server)).id;
});
afterAll(() => server[Symbol.asyncDispose]());

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");
const memoryInUse = async () => {
  await nextTurn();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
const readers = async () => (await ask(server, "/metrics")).text.match(/^boxrun_sse_readers (\d+)$/m)?.[1];
const noReaders = () => expect.poll(readers).toBe("0");

/** RFC 3339 in UTC. */
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe("the events of an exec", () => {
  it("are sent as the contract writes them", async () => {
    const exec = await startExec(server, boxId, ["sh", "-c", "echo out; echo err >&2; exit 3"]);
    const answer = await ask(server, `/v1/boxes/${boxId}/exec/${exec.id}/events`);
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    });
    expect(answer.text).toMatch(
      /^retry: \d+\nid: 1\nevent: log\ndata: \{"stream":"stdout","data":"out\\n","seq":1,"time":"[-\d]+T[:.\d]+Z"\}\n\n/,
    );
    expect(frames(answer.text)).toEqual([
      { id: "1", event: "log", data: { stream: "stdout", data: "out\n", seq: 1, time } },
      { id: "2", event: "log", data: { stream: "stderr", data: "err\n", seq: 2, time } },
      { id: "3", event: "exit", data: { stream: null, data: '{"exit_code":3}', seq: 3 } },
    ]);
  });

  it("resume behind `after`, and rather behind Last-Event-ID", async () => {
    const exec = await startExec(server, boxId, ["sh", "-c", "echo out; echo err >&2"]);
    const path = `/v1/boxes/${boxId}/exec/${exec.id}/events`;
    await ask(server, path);
    const ids = async (query: string, headers: Record<string, string> = {}) =>
      frames((await ask(server, path + query, { headers })).text).map((frame) => frame.id);
    expect(await ids("?after=1")).toEqual(["2", "3"]);
    expect(await ids("?after=0", { "last-event-id": "2" })).toEqual(["3"]);
    expect(await ids("", { "last-event-id": "" })).toEqual(["1", "2", "3"]);
    expect(await ids("?after=3")).toEqual([]);
    const refused = await ask(server, path, { headers: { "last-event-id": "x" } });
    expect([refused.status, refused.json]).toMatchObject([422, { code: "VALIDATION_ERROR" }]);
  });

  it("resume at a restarted server, every event once", async () => {
    const first = await startTestServer({ programs: { gated } });
    const box = await createBox(first);
    const exec = await startExec(first, box.id, ["gated"]);
    const path = `/v1/boxes/${box.id}/exec/${exec.id}/events`;
    const stream = await response(send(first, path));
    const before = readUntil(stream, (text) => text.includes("before"));
    expect(await before).toContain("id: 1\n");
    await first.stop();
    await using second = await startTestServer({ stateDir: first.stateDir, host: first.host, programs: { gated } });
    const rest = ask(second, path, { headers: { "last-event-id": "1" } });
    gate.open();
    expect(frames((await rest).text)).toEqual([
      { id: "2", event: "log", data: { stream: "stdout", data: "after\n", seq: 2, time } },
      { id: "3", event: "exit", data: { stream: null, data: '{"exit_code":0}', seq: 3 } },
    ]);
  });

  it("come live, with comments in between that no reader takes for an event", async () => {
    const exec = await startExec(server, boxId, ["gated"]);
    const stream = await response(send(server, `/v1/boxes/${boxId}/exec/${exec.id}/events`));
    const first = await readUntil(stream, (text) => text.split(": still here\n").length > 3);
    gate.open();
    const rest = await read(stream);
    expect(frames(first + rest.text).map((frame) => frame.id)).toEqual(["1", "2", "3"]);
    expect(first.split("\n\n")).toHaveLength(2);
  });

  it("reach three readers in the same order", async () => {
    const exec = await startExec(server, boxId, ["seq", "20000"]);
    const path = `/v1/boxes/${boxId}/exec/${exec.id}/events`;
    const answers = await Promise.all([ask(server, path), ask(server, path), ask(server, path, { via: "tcp" })]);
    const [one, two, three] = answers.map(({ text }) => frames(text));
    expect(one?.length).toBeGreaterThan(1);
    expect(two).toEqual(one);
    expect(three).toEqual(one);
  });

  it("do not pile up for a reader that does not read", async () => {
    const before = await memoryInUse();
    const exec = await startExec(server, boxId, ["flood"]);
    const stuck = await response(send(server, `/v1/boxes/${boxId}/exec/${exec.id}/events`));
    await expect.poll(() => server.core.execs.get(boxId, exec.id).status, { timeout: 20_000 }).toBe("succeeded");
    // The output is 60 MB; the collector may need more than one go.
    await expect.poll(memoryInUse).toBeLessThan(before + 12 * 1024 * 1024);
    const seen = frames((await read(stuck)).text);
    expect(seen.at(-1)).toMatchObject({ event: "exit" });
    expect(seen.map((frame) => frame.id)).toEqual(seen.map((_, index) => String(index + 1)));
  });

  it("are let go of when the reader hangs up", async () => {
    const exec = await startExec(server, boxId, ["gated"]);
    const stream = await response(send(server, `/v1/boxes/${boxId}/exec/${exec.id}/events`));
    await readUntil(stream, (text) => text.includes("before"));
    expect(await readers()).toBe("1");
    stream.destroy();
    await noReaders();
    gate.open();
  });
});

describe("an exec that is started and followed in one exchange", () => {
  const path = () => `/v1/boxes/${boxId}/exec`;
  const follow = (cmd: string[], accept = "text/event-stream") =>
    send(server, path(), { body: { cmd }, headers: { accept } });

  it("comes first, and then its events", async () => {
    const answer = await read(await response(follow(["sh", "-c", "echo out; exit 3"])));
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    const [first, ...rest] = frames(answer.text);
    expect(first).toMatchObject({ id: undefined, event: "exec", data: { box_id: boxId, status: "running" } });
    expect(rest).toEqual([
      { id: "1", event: "log", data: { stream: "stdout", data: "out\n", seq: 1, time } },
      { id: "2", event: "exit", data: { stream: null, data: '{"exit_code":3}', seq: 2 } },
    ]);
    const { id } = execSchema.parse(first?.data);
    expect(frames((await ask(server, `${path()}/${id}/events`)).text)).toEqual(rest);
    const lines = server.log().filter((line) => line.exec_id === id && line.msg === "request");
    expect(lines).toMatchObject([
      { operation: "startExec", status: 200 },
      { operation: "streamExecEvents", status: 200 },
    ]);
    expect(server.log().filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
  });

  it.each([
    ["text/event-stream", 200],
    ["application/json;q=0.5, Text/Event-Stream;q=0.9", 200],
    ["*/*", 201],
    ["text/*", 201],
    ["application/json", 201],
    ["", 201],
  ])("is what Accept: %j asks for: %i", async (accept, status) => {
    const answer = await read(await response(follow(["true"], accept)));
    expect(answer.status).toBe(status);
    if (status === 201) expect(answer.json).toMatchObject({ box_id: boxId, status: "running" });
    else expect(frames(answer.text).map(({ event }) => event)).toEqual(["exec", "exit"]);
  });

  it("is refused as any other", async () => {
    const headers = { accept: "text/event-stream" };
    const invalid = await ask(server, path(), { body: { cmd: [] }, headers });
    expect([invalid.status, invalid.json]).toMatchObject([422, { code: "VALIDATION_ERROR" }]);
    const missing = await ask(server, "/v1/boxes/nowhere/exec", { body: { cmd: ["true"] }, headers });
    expect([missing.status, missing.json]).toMatchObject([404, { code: "BOX_NOT_FOUND" }]);
  });

  it("is told of while the command runs, and goes on when the caller hangs up", async () => {
    const stream = await response(follow(["gated"]));
    const [first] = frames(await readUntil(stream, (text) => text.includes("before")));
    const { id } = execSchema.parse(first?.data);
    stream.destroy();
    await noReaders();
    expect(server.core.execs.get(boxId, id).status).toBe("running");
    gate.open();
    const events = frames((await ask(server, `${path()}/${id}/events`)).text);
    expect(events.map(({ event }) => event)).toEqual(["log", "log", "exit"]);
  });
});

describe("the server's events", () => {
  it("tell of every change of a box and an exec", async () => {
    const stream = await response(send(server, "/v1/events"));
    const box = await createBox(server);
    const exec = await startExec(server, box.id, ["true"]);
    await ask(server, `/v1/boxes/${box.id}/exec/${exec.id}/events`);
    await ask(server, `/v1/boxes/${box.id}?force=true`, { method: "DELETE" });
    const seen = frames(await readUntil(stream, (text) => text.includes("event: box_removed")));
    stream.destroy();
    expect(seen.map((frame) => frame.event)).toEqual(expect.arrayContaining(["box", "exec", "box_removed"]));
    expect(seen).toContainEqual({ id: undefined, event: "box_removed", data: { id: box.id } });
    expect(seen).toContainEqual(
      expect.objectContaining({ event: "exec", data: expect.objectContaining({ id: exec.id, status: "succeeded" }) }),
    );
    await noReaders();
  });
});

describe("a pull", () => {
  it("tells its progress and ends with the image", async () => {
    const answer = await ask(server, "/v1/images:pull", { body: { reference: "python" } });
    expect(frames(answer.text).at(-1)).toMatchObject({
      event: "done",
      data: { reference: "python:3.12-slim", digest: pulledImage.digest, builtin: false },
    });
    expect(frames(answer.text)[0]).toMatchObject({ event: "progress", data: { layer: "a" } });
  });

  it("ends with the registry's reason", async () => {
    const answer = await ask(server, "/v1/images:pull", { body: { reference: "missing:1" } });
    expect(frames(answer.text)).toEqual([
      {
        id: undefined,
        event: "error",
        data: { code: "IMAGE_PULL_FAILED", message: "Cannot pull missing:1: manifest unknown" },
      },
    ]);
  });

  it("is given up when the caller hangs up", async () => {
    const stream = await response(send(server, "/v1/images:pull", { body: { reference: "slow:1" } }));
    await readUntil(stream, (text) => text.includes("event: progress"));
    stream.destroy();
    await pullAborted.promise;
    await noReaders();
  });
});
