import {
  boxStatsSchema,
  statsHistorySchema,
  statsOverviewSchema,
  statsOverviewsSchema,
  statsStepSchema,
} from "@boxrun/contract";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ask, createBox, frames, readUntil, response, send } from "./support/http.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await createBox(server, { name: "dev" });
});
afterAll(() => server[Symbol.asyncDispose]());

it("a reading comes as JSON", async () => {
  const answer = await ask(server, "/v1/boxes/dev/stats");
  expect(answer.status).toBe(200);
  expect(boxStatsSchema.parse(answer.json)).toMatchObject({ guest: "answered", cpu_percent: 0, processes: 0 });
});

it("readings come as events for whoever follows", async () => {
  const message = await response(send(server, "/v1/boxes/dev/stats?follow=true"));
  expect(message.headers["content-type"]).toMatch(/^text\/event-stream/);
  const text = await readUntil(message, (so) => (so.match(/^event: stats$/gm)?.length ?? 0) >= 2);
  message.destroy();
  const events = frames(text).filter(({ event }) => event === "stats");
  expect(events.map(({ data }) => boxStatsSchema.parse(data).guest)).toEqual(["answered", "answered"]);
});

it("the last hour and all boxes have their answers, too", async () => {
  const history = await ask(server, "/v1/boxes/dev/stats/history");
  expect(statsHistorySchema.parse(history.json)).toMatchObject({ step_seconds: 10, at: [] });
  const all = await ask(server, "/v1/stats?points=30");
  const [dev] = statsOverviewSchema.array().parse(all.json);
  expect(dev?.recent).toEqual({ at: [], cpu_percent: [], memory_bytes: [] });
  expect((await ask(server, "/v1/stats?points=361")).status).toBe(422);
});

it("all boxes come as events for whoever follows them, when a step is done", async () => {
  const message = await response(send(server, "/v1/stats?follow=true&points=30"));
  expect(message.headers["content-type"]).toMatch(/^text\/event-stream/);
  const text = await readUntil(message, (so) => /^event: step$/m.test(so));
  message.destroy();
  for (const { event, data } of frames(text)) {
    if (event === "stats") statsOverviewsSchema.parse(data);
    else expect(statsStepSchema.parse(data).boxes).toBeLessThanOrEqual(1);
  }
});

it("what does not run, or is not there, is refused before any event", async () => {
  await ask(server, "/v1/boxes/dev:stop", { method: "POST" });
  for (const query of ["", "?follow=true"]) {
    const answer = await ask(server, `/v1/boxes/dev/stats${query}`);
    expect([answer.status, answer.json]).toMatchObject([400, { code: "BOX_NOT_RUNNING" }]);
    expect((await ask(server, `/v1/boxes/nope/stats${query}`)).status).toBe(404);
  }
});
