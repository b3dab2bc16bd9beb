import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ask, createBox, frames, startExec } from "./support/http.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "./support/server.ts";

let stateDir: string;
let box: string;
let exec: string;
let last: TestServer;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "boxrun-"));
  last = await startTestServer({ stateDir });
  box = (await createBox(last)).id;
  exec = (await startExec(last, box, ["sh", "-c", "echo one; cat; echo two"], { stdin: true })).id;
  await last.stop();
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

/** The next server, which listens while it looks for the box's VM for as long as the test holds that up. */
async function next(options: TestServerOptions = {}) {
  const server = await startTestServer({ ...options, stateDir, host: last.host, recoversLater: true });
  const hold = server.engine.controls.hold("adopt");
  const recovery = server.core.recover();
  await hold.reached;
  return { server, hold, recovery };
}

const get = async (server: TestServer, path: string) => (await ask(server, path)).json;

it("a server answers before it has its boxes, and says that it does not have them yet", async () => {
  const { server, hold, recovery } = await next();
  await using _ = server;
  expect(await get(server, "/healthz")).toMatchObject({ status: "ok", recovering: true });
  expect(await get(server, "/v1/info")).toMatchObject({ recovering: true, boxes: { running: 1 } });
  expect(await get(server, "/v1/boxes")).toMatchObject([{ id: box, status: "running" }]);
  expect((await ask(server, "/metrics")).status).toBe(200);
  hold.release();
  await recovery;
  expect(await get(server, "/healthz")).not.toHaveProperty("recovering");
  expect(await get(server, "/v1/info")).not.toHaveProperty("recovering");
});

it("what needs a box waits for it, and finds it as it was left: no reader is told of an end that is none", async () => {
  const { server, hold, recovery } = await next();
  await using _ = server;
  const events = ask(server, `/v1/boxes/${box}/exec/${exec}/events`);
  const input = ask(server, `/v1/boxes/${box}/exec/${exec}/stdin?eof=true`, { body: "in\n" });
  const started = ask(server, `/v1/boxes/${box}/exec`, { body: { cmd: ["true"] } });
  let isAnswered = false;
  void Promise.race([events, input, started]).then(() => {
    isAnswered = true;
  });
  // Answered behind them.
  await get(server, "/v1/boxes");
  expect(isAnswered).toBe(false);
  hold.release();
  await recovery;
  expect((await input).status).toBe(200);
  expect((await started).status).toBe(201);
  expect(JSON.stringify(frames((await events).text))).toMatch(/one.*in.*two/s);
});

it("what runs is listed as running at every moment of a take-over, and nothing of it as missing or ended", async () => {
  const { server, hold, recovery } = await next();
  await using _ = server;
  // As `boxrun ps` asks: which boxes run, and then each of them.
  const listed = async () => {
    const boxes = await get(server, "/v1/boxes?status=running");
    expect(boxes).toMatchObject([{ id: box }]);
    return get(server, `/v1/boxes/${box}/execs`);
  };
  const resumed = server.engine.controls.hold("resumeExec");
  const early = [listed(), get(server, `/v1/boxes/${box}/exec/${exec}`)];
  await get(server, "/v1/boxes");
  hold.release();
  // The VM is found, and its command not yet.
  await resumed.reached;
  early.push(listed());
  let isAnswered = false;
  void Promise.race(early).then(() => {
    isAnswered = true;
  });
  await get(server, "/v1/boxes");
  expect(isAnswered).toBe(false);
  expect(server.core.execs.list(box).items).toMatchObject([{ id: exec, status: "running" }]);
  resumed.release();
  await recovery;
  for (const answer of [...early, listed()]) {
    expect([await answer].flat()).toMatchObject([{ id: exec, status: "running", finished_at: null }]);
  }
});

it("a box that is slow to be taken over holds up nobody but who needs it", async () => {
  const before = await startTestServer({ stateDir, host: last.host });
  const other = (await createBox(before)).id;
  const counting = (await startExec(before, other, ["sh", "-c", "cat; exit 3"], { stdin: true })).id;
  await before.stop();
  await using server = await startTestServer({ stateDir, host: last.host, recoversLater: true });
  const hold = server.engine.controls.hold("adopt", box);
  const recovery = server.core.recover();
  await hold.reached;
  const slow = ask(server, `/v1/boxes/${box}/exec`, { body: { cmd: ["true"] } });
  // What ran in the other one goes on, and what is new begins, while nobody has the first one.
  expect((await ask(server, `/v1/boxes/${other}/exec/${counting}/stdin?eof=true`, { body: "in\n" })).status).toBe(200);
  expect(await server.core.execs.wait(other, counting)).toMatchObject({ exit_code: 3 });
  const begun = await startExec(server, other, ["sh", "-c", "exit 4"]);
  expect(await server.core.execs.wait(other, begun.id)).toMatchObject({ exit_code: 4 });
  expect((await ask(server, `/v1/boxes/${other}?force=true`, { method: "DELETE" })).status).toBeLessThan(300);
  expect(server.core.isRecovering).toBe(true);
  hold.release();
  await recovery;
  expect((await slow).status).toBe(201);
});

it("a request that has waited long enough is told so, and nothing was done of it", async () => {
  const { server, hold, recovery } = await next({ recoveryWaitMs: 1 });
  await using _ = server;
  const answer = await ask(server, `/v1/boxes/${box}:stop`, { method: "POST" });
  expect(answer).toMatchObject({ status: 503, json: { code: "SERVER_RECOVERING" } });
  hold.release();
  await recovery;
  expect(await get(server, `/v1/boxes/${box}`)).toMatchObject({ status: "running" });
});

it("a server that is stopped meanwhile sends away who waits, and leaves the box to the next one", async () => {
  const { server, recovery } = await next();
  const waiting = ask(server, `/v1/boxes/${box}:stop`, { method: "POST" });
  await get(server, "/v1/boxes");
  await Promise.all([server.stop(), expect(recovery).rejects.toMatchObject({ code: "CANCELED" })]);
  expect((await waiting).json).toMatchObject({ code: "CANCELED" });
  await using third = await startTestServer({ stateDir, host: last.host });
  expect(await get(third, `/v1/boxes/${box}`)).toMatchObject({ status: "running" });
  expect(await get(third, `/v1/boxes/${box}/exec/${exec}`)).toMatchObject({ status: "running" });
});
