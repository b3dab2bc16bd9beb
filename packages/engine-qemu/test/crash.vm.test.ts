import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { BoxSpec } from "@boxrun/core";
import { afterAll, expect, test } from "vitest";
import { boxSpec, never, newId, nextDeath, sh } from "./support/boxes.ts";
import { openTestHost } from "./support/host.ts";

const host = await openTestHost();
afterAll(() => host[Symbol.asyncDispose]());
const server = join(import.meta.dirname, "support/crashing-server.ts");

/** Starts a server that makes a box, and kills it as soon as `until` says so of a line that it prints. */
async function crash(
  spec: BoxSpec,
  execId: string,
  until: (line: string) => boolean | Promise<boolean>,
): Promise<void> {
  const child: ChildProcess = spawn(
    process.execPath,
    [server, host.stateDir, host.cacheDir, JSON.stringify(spec), execId],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  if (child.stdout === null) throw new Error("the server has no output");
  for await (const line of createInterface({ input: child.stdout })) {
    if (await until(line)) break;
  }
  const closed = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await closed;
}

async function eventually(what: string, isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`${what}: not so after 30 s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("after the server was killed, its box is taken over, and its exec goes on at the byte that was stored", async () => {
  const spec = boxSpec(host);
  const execId = newId("exec");
  await crash(spec, execId, (line) => line.startsWith("read"));

  const engine = host.makeEngine();
  expect(await engine.listBoxes()).toEqual([spec.id]);
  await expect(engine.exec(spec.id, { ...execSpecOf(execId) })).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
  expect(await engine.adopt(spec, { signal: never() })).toEqual({ state: "running" });
  // As a store that had kept the first 500 bytes when the server died.
  const exec = await engine.resumeExec(spec.id, execId, { stdout: 500, stderr: 0 });
  let text = "";
  for await (const { offset, data } of exec?.output ?? []) {
    expect(offset).toBe(500 + text.length);
    text += Buffer.from(data).toString("latin1");
    exec?.acknowledge({ stdout: 500 + text.length, stderr: 0 });
  }
  const whole = `${Array.from({ length: 2000 }, (_, index) => `line ${index + 1}\n`).join("")}end\n`;
  expect(text).toBe(whole.slice(500));
  expect(await exec?.exit).toEqual({ code: 7, reason: "exited" });

  // A VM that was taken over is watched as well as one's own.
  const death = nextDeath(engine);
  const killedAt = Date.now();
  process.kill(host.qemuPid(spec.id), "SIGKILL");
  expect(await death).toMatchObject({ boxId: spec.id });
  expect(Date.now() - killedAt).toBeLessThan(1000);
  await engine.remove(spec.id);
  expect(host.residue(spec.id)).toEqual([]);
  await engine.close();
});

const moments: readonly [string, (boxDir: string) => boolean][] = [
  ["when it has made the box's directory", existsSync],
  ["when QEMU has just started", (boxDir) => existsSync(join(boxDir, "s/qmp"))],
  ["while the guest boots", (boxDir) => existsSync(join(boxDir, "vm.json"))],
];

test.each(moments)("a server killed %s leaves what the next one lists and removes", async (_, isReached) => {
  const spec = boxSpec(host);
  await crash(spec, newId("exec"), async (line) => {
    if (line === "began") await eventually("the box's directory", () => isReached(host.boxDir(spec.id)));
    return true;
  });
  const engine = host.makeEngine();
  expect(await engine.listBoxes()).toEqual([spec.id]);
  await engine.remove(spec.id);
  expect(await engine.listBoxes()).toEqual([]);
  expect(host.residue(spec.id)).toEqual([]);
  await engine.close();
});

test("a box whose VM was not set up yet when the server was killed is dead, not running, and starts", async () => {
  const spec = boxSpec(host);
  await crash(spec, newId("exec"), async () => {
    await eventually("the VM's record", () => existsSync(join(host.boxDir(spec.id), "vm.json")));
    return true;
  });
  const engine = host.makeEngine();
  expect(await engine.adopt(spec, { signal: never() })).toEqual({ state: "dead" });
  expect(host.residue(spec.id).filter((thing) => !thing.startsWith("file"))).toEqual([]);
  await engine.start(spec, { signal: new AbortController().signal });
  expect(await sh(engine, spec.id, "echo up")).toMatchObject({ stdout: "up\n" });
  await engine.remove(spec.id);
  await engine.close();
});

function execSpecOf(id: string) {
  return { id, cmd: ["true"], env: {}, workdir: "/", user: null, stdin: false, tty: null, timeoutMs: null };
}
