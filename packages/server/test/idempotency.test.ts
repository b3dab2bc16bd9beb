import { boxSchema, execSchema, historyEntrySchema } from "@boxrun/contract";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Ask, ask, frames, send } from "./support/http.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const small = { image: "base", cpu: 1, memory_mb: 64 };
const keyed = (key: string, body: object, more: Record<string, string> = {}): Ask => ({
  body,
  headers: { "idempotency-key": key, ...more },
});
const replayed = "idempotency-replayed";

async function actions(): Promise<string[]> {
  const { json } = await ask(server, "/v1/history");
  return historyEntrySchema
    .array()
    .parse(json)
    .map(({ action, error_code }) => (error_code === null ? action : `${action}: ${error_code}`));
}

/** The server has the request, and its caller is gone before there is an answer. */
async function hungUp(path: string, sent: Ask, method: "create" | "exec"): Promise<void> {
  const hold = server.engine.controls.hold(method);
  const request = send(server, path, sent).on("error", () => undefined);
  await hold.reached;
  const closed = Promise.withResolvers<void>();
  request.once("close", closed.resolve).destroy();
  await closed.promise;
  hold.release();
}

describe("a request with an Idempotency-Key", () => {
  it("whose answer was lost is answered when it comes again, and was done once", async () => {
    const create = keyed("c-1", { ...small, name: "dev" });
    await hungUp("/v1/boxes", create, "create");
    const box = await ask(server, "/v1/boxes", create);
    expect(box.status).toBe(201);
    expect(box.headers[replayed]).toBe("true");
    const { id } = boxSchema.parse(box.json);
    const exec = keyed("e-1", { cmd: ["echo", "hello"] });
    await hungUp("/v1/boxes/dev/exec", exec, "exec");
    const started = await ask(server, `/v1/boxes/${id}/exec`, exec);
    expect(started.headers[replayed]).toBe("true");
    const execs = await ask(server, "/v1/boxes/dev/execs");
    expect(execSchema.array().parse(execs.json)).toMatchObject([{ id: execSchema.parse(started.json).id }]);
    const run = keyed("r-1", { ...small, cmd: ["echo", "hello"] });
    await hungUp("/v1/run", run, "exec");
    const ran = await ask(server, "/v1/run", run);
    expect(ran).toMatchObject({ status: 200, json: { exit_code: 0, stdout: "hello\n" } });
    expect(ran.headers[replayed]).toBe("true");
    const boxes = await ask(server, "/v1/boxes");
    expect(boxSchema.array().parse(boxes.json)).toMatchObject([{ id }]);
    expect(server.engine.controls.calls("exec")).toBe(2);
    // Each once.
    expect(await actions()).toEqual(["run", "exec", "create"]);
  });

  it("is done the first time, which its answer does not call a repeat; without one it is done each time", async () => {
    for (const key of ["a", "b"]) {
      const answer = await ask(server, "/v1/boxes", keyed(key, small));
      expect([answer.status, answer.headers[replayed]]).toEqual([201, undefined]);
    }
    for (let n = 0; n < 2; n += 1) await ask(server, "/v1/boxes", { body: small });
    expect((await ask(server, "/v1/boxes")).json).toHaveLength(4);
  });

  it("that starts a command and follows it has all of its events again", async () => {
    const { id } = boxSchema.parse((await ask(server, "/v1/boxes", { body: small })).json);
    const sent = keyed("e", { cmd: ["sh", "-c", "echo one; echo two >&2; exit 3"] }, { accept: "text/event-stream" });
    const [first, again] = [
      await ask(server, `/v1/boxes/${id}/exec`, sent),
      await ask(server, `/v1/boxes/${id}/exec`, sent),
    ];
    expect(first.headers[replayed]).toBeUndefined();
    expect(again.headers[replayed]).toBe("true");
    const [begun, ...events] = frames(again.text);
    expect(events).toEqual(frames(first.text).slice(1));
    expect(events.map(({ event }) => event)).toEqual(["log", "log", "exit"]);
    expect(begun).toMatchObject({ event: "exec", data: { status: "failed", exit_code: 3 } });
  });

  it("of another request is refused", async () => {
    await ask(server, "/v1/boxes", keyed("a", { ...small, name: "dev" }));
    const other = await ask(server, "/v1/boxes", keyed("a", { ...small, name: "other" }));
    expect(other).toMatchObject({ status: 409, json: { code: "IDEMPOTENCY_KEY_REUSED" } });
    expect(other.headers[replayed]).toBeUndefined();
    await ask(server, "/v1/boxes/dev/exec", keyed("a", { cmd: ["true"] }));
    const command = await ask(server, "/v1/boxes/dev/exec", keyed("a", { cmd: ["false"] }));
    expect(command).toMatchObject({ status: 409, json: { code: "IDEMPOTENCY_KEY_REUSED" } });
    expect(await actions()).toEqual(["exec: IDEMPOTENCY_KEY_REUSED", "exec", "create"]);
  });

  it.each([
    ["of nothing", ""],
    ["that is too long", "k".repeat(256)],
    ["of other characters", "k\u00e9y"],
  ])("%s is refused, and the header named", async (_, key) => {
    const answer = await ask(server, "/v1/boxes", keyed(key, small));
    expect(answer).toMatchObject({ status: 422, json: { code: "VALIDATION_ERROR" } });
    expect(answer.text).toContain("Idempotency-Key: must be");
    expect((await ask(server, "/v1/boxes")).json).toEqual([]);
  });

  it("is known to the next server too", async () => {
    const sent = keyed("k".repeat(255), { ...small, name: "dev" });
    const { id } = boxSchema.parse((await ask(server, "/v1/boxes", sent)).json);
    const { stateDir, host } = server;
    await server.stop();
    await using next = await startTestServer({ stateDir, host });
    const again = await ask(next, "/v1/boxes", sent);
    expect(again).toMatchObject({ status: 201, json: { id, status: "running" } });
    expect(again.headers[replayed]).toBe("true");
  });
});
