import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import type { Adoption } from "@boxrun/core";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { socketAddress } from "../src/address.ts";
import { AgentLine } from "../src/line.ts";
import { afterFailure, hearAgain } from "../src/reunion.ts";
import { fakeBootId, greetingBytes, json, startFakeAgent } from "./support/fake-agent.ts";

const dir = mkdtempSync(join(tmpdir(), "bx-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let sockets = 0;

/** What is made of an agent whose nth connection, from 1, begins like that. */
async function adopted(greet: (connection: number) => Buffer, setup = true): Promise<Adoption> {
  const hello = { agent: "test", protocol: 2, boot_id: fakeBootId, setup };
  const agent = await startFakeAgent(join(dir, `${sockets++}.sock`), (stream) => json(stream, hello), greet);
  const line = new AgentLine(socketAddress(agent.path), fakeBootId);
  onTestFinished(async () => {
    line.end(new BoxRunError("RUNTIME_ERROR", "the test is over"));
    await agent[Symbol.asyncDispose]();
  });
  return await hearAgain(line, new AbortController().signal).then(() => ({ state: "running" }) as const, afterFailure);
}

test("what the last server's connection has left comes first, and is no end of the VM", async () => {
  const left = Buffer.from("what an older connection had to say");
  expect(await adopted((connection) => (connection < 3 ? left : greetingBytes()))).toEqual({ state: "running" });
});

test("an agent of another protocol is there: it is unreachable, and why is said", async () => {
  expect(await adopted(() => greetingBytes(fakeBootId, 3))).toEqual({
    state: "unreachable",
    why: expect.stringContaining("speaks version 3"),
  });
});

test("another boot id is another VM: the one that was asked for is dead", async () => {
  expect(await adopted(() => greetingBytes("ffeeddccbbaa99887766554433221100"))).toEqual({ state: "dead" });
});

test("an agent that has set up no box is no proof of anything", async () => {
  expect(await adopted(() => greetingBytes(), false)).toMatchObject({ state: "unreachable" });
});

test("whoever asks can be told to stop while nobody answers", async () => {
  const agent = await startFakeAgent(join(dir, `${sockets++}.sock`), () => undefined);
  const line = new AgentLine(socketAddress(agent.path), fakeBootId);
  const stop = new AbortController();
  const heard = hearAgain(line, stop.signal).catch((error: unknown) => error);
  setImmediate(() => stop.abort(new Error("stopped")));
  expect(await heard).toMatchObject({ message: "stopped" });
  line.end(new BoxRunError("RUNTIME_ERROR", "the test is over"));
  await agent[Symbol.asyncDispose]();
});
