import { existsSync } from "node:fs";
import { join } from "node:path";
import { infoSchema, urls } from "@boxrun/contract";
import { afterAll, expect, test } from "vitest";
import { TestServer } from "./support/server.ts";

const server = await TestServer.start({ env: { BOXRUN_POOL: "2 base --cpu 1 --memory 256m --disk 1g" } });
afterAll(() => server[Symbol.asyncDispose]());

/** Resolves when as many are ready as the setting says. */
async function filled(): Promise<void> {
  const ready = async () => infoSchema.parse((await server.http.json("GET", urls.info())).body).pool?.[0]?.ready;
  await expect.poll(ready, { timeout: 120_000, interval: 100 }).toBe(2);
}

const running = async () => new Set((await server.boxProcesses()).keys());

test("a create takes a VM that was up before, and another one takes its place", async () => {
  await filled();
  const before = await running();
  expect(before.size).toBe(2);
  expect((await server.http.json("GET", urls.boxes())).body).toEqual([]);
  const box = await server.http.createBox({ cpu: 1, memory_mb: 256, name: "claimed", workdir: "/srv/claimed" });
  expect(before).toContain(box.id);
  expect(await server.runCli(["exec", "claimed", "--", "sh", "-c", "hostname; pwd"])).toMatchObject({
    stdout: "claimed\n/srv/claimed\n",
  });
  await filled();
  const after = await running();
  expect(after.size).toBe(3);
  const { stdout } = await server.runCli(["info"]);
  expect(stdout).toContain("2 of 2 ready: base, 1 CPUs, 256 MB, 1 GB");
});

test("VMs that were prepared by a server that was killed are ended by the next one; the box that was taken runs on", async () => {
  await filled();
  const before = await running();
  await server.kill();
  expect(await running()).toEqual(before);
  await server.restart();
  await filled();
  const now = await running();
  const { id } = (await server.http.createBox({ cpu: 1, memory_mb: 256 })) satisfies { id: string };
  expect(now).toContain(id);
  const claimed = await server.http.json("GET", urls.box("claimed"));
  expect(claimed.body).toMatchObject({ status: "running" });
  for (const old of before) {
    const isBox = old === (claimed.body as { id: string }).id;
    expect(now.has(old)).toBe(isBox);
    expect(existsSync(join(server.stateDir, "vm", old))).toBe(isBox);
  }
  expect((await server.runCli(["exec", "claimed", "--", "echo", "still there"])).stdout).toBe("still there\n");
});

test("a server that stops takes what it has prepared along, and leaves the boxes", async () => {
  await filled();
  await server.stop();
  const boxes = await running();
  await server.restart();
  const listed = (await server.http.json("GET", urls.boxes())).body as readonly { id: string; status: string }[];
  expect(listed.map(({ status }) => status)).toEqual(["running", "running"]);
  expect(boxes).toEqual(new Set(listed.map(({ id }) => id)));
});
