import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { expect, onTestFinished, test } from "vitest";
import { AgentLine, guestUsage, socketAddress } from "../src/index.ts";
import { type Answer, json, startFakeAgent } from "./support/fake-agent.ts";

const usage = { cpu_ms: 1, memory_used: 2, memory_total: 3, disk_used: 4, disk_size: 5, processes: 6 };

async function ask(answer: Answer) {
  const dir = await mkdtemp(join(tmpdir(), "boxrun-usage-"));
  const agent = await startFakeAgent(join(dir, "agent.sock"), answer);
  const line = new AgentLine(socketAddress(agent.path));
  onTestFinished(async () => {
    line.end(new BoxRunError("RUNTIME_ERROR", "the test is over"));
    await agent[Symbol.asyncDispose]();
    await rm(dir, { recursive: true });
  });
  return await guestUsage(line);
}

test("what an agent says of its VM is taken", async () => {
  const guest = await ask((stream) => json(stream, { ...usage, network: { received: 7, sent: 8 }, more: "later" }));
  expect(guest).toMatchObject({
    state: "answered",
    usage: { cpuMs: 1, memoryBytes: 2, diskSizeBytes: 5, network: { receivedBytes: 7, sentBytes: 8 }, processes: 6 },
  });
});

test("an agent that does not know the question is old, and not unreachable", async () => {
  const guest = await ask((stream) => json(stream, { code: "BAD_REQUEST", message: "no such request" }, 400));
  expect(guest).toEqual({ state: "unsupported" });
});

test.each<[string, Answer]>([
  ["nothing", () => undefined],
  ["what is no number", (stream) => json(stream, { ...usage, cpu_ms: "1" })],
  ["what is less than nothing", (stream) => json(stream, { ...usage, memory_used: -1 })],
  ["more than any number", (stream) => json(stream, { ...usage, disk_used: 2 ** 60 })],
  ["more than an answer may have", (stream) => json(stream, { ...usage, more: "x".repeat(100_000) })],
])("an agent that says %s has not answered, and holds nobody up", async (_, answer) => {
  const askedAtMs = performance.now();
  expect(await ask(answer)).toEqual({ state: "unreachable", why: expect.stringMatching(/./) });
  expect(performance.now() - askedAtMs).toBeLessThan(3_000);
});
