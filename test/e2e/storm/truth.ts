import { setTimeout as delay } from "node:timers/promises";
import { boxSchema, execSchema, infoSchema, urls } from "@boxrun/contract";
import { z } from "zod";
import type { TestServer } from "../support/server.ts";
import type { Follower } from "./follower.ts";
import type { HelperProcess, Host } from "./host.ts";

/** The server looks every 2 s; passt is started again in as many. */
const noticeMs = 60_000;

/** What a client was told of a box. */
export interface KnownBox {
  readonly id: string;
  readonly network: boolean;
  readonly hasVolume: boolean;
  /** How often it was ended, by whoever: programs of before may be cut. */
  ends: number;
  /** It was asked for its removal, and perhaps is gone. */
  isRemoved: boolean;
  /** Files that a program has written and flushed, and said so. */
  readonly flushed: Set<string>;
}

/** Everything that is not as it has to be once nothing fails any more; each a sentence. */
export async function violations(
  host: Host,
  boxes: ReadonlyMap<string, KnownBox>,
  followers: readonly Follower[],
): Promise<string[]> {
  const server = await host.server();
  return [
    ...(await boxViolations(server, host, boxes)),
    ...followers.flatMap((follower) => programViolations(follower, boxes)),
  ];
}

async function boxViolations(server: TestServer, host: Host, known: ReadonlyMap<string, KnownBox>): Promise<string[]> {
  const found: string[] = [];
  const rows = z.array(boxSchema).parse((await server.http.json("GET", urls.boxes())).body);
  const running = rows.filter(({ status }) => status === "running");
  for (const { id, status, unreachable } of rows) {
    const hasVm = (await host.processes(id)) !== undefined;
    if (status === "creating") found.push(`box ${id} is creating, and nobody creates it`);
    if (hasVm !== (status === "running")) found.push(`box ${id} is ${status} and ${hasVm ? "has a" : "has no"} VM`);
    if (unreachable !== undefined) found.push(`box ${id} is unreachable: ${unreachable}`);
    const execs = z.array(execSchema).parse((await server.http.json("GET", urls.execs(id))).body);
    for (const exec of execs) {
      if (exec.status === "running" && status !== "running")
        found.push(`exec ${exec.id} runs in a box that is ${status}`);
    }
  }
  for (const box of known.values()) {
    if (running.some(({ id }) => id === box.id)) found.push(...(await surroundingsViolations(server, host, box)));
  }
  const ids = new Set(rows.map(({ id }) => id));
  for (const { id, isRemoved } of known.values()) {
    if (!isRemoved && !ids.has(id)) found.push(`box ${id} was created, and is not there`);
  }
  for (const id of await host.boxDirectories())
    if (!ids.has(id)) found.push(`there is a directory of ${id}, and no box`);
  const info = infoSchema.parse((await server.http.json("GET", urls.info())).body);
  const cpu = running.reduce((sum, box) => sum + box.cpu, 0);
  const memoryMb = running.reduce((sum, box) => sum + box.memory_mb, 0);
  if (info.used_cpu !== cpu || info.used_memory_mb !== memoryMb) {
    found.push(`${info.used_cpu} CPUs and ${info.used_memory_mb} MB are held; what runs has ${cpu} and ${memoryMb}`);
  }
  return found;
}

/** Within some seconds a box says of its network and its volume that they don't work, if they don't, and nothing else. */
async function surroundingsViolations(server: TestServer, host: Host, box: KnownBox): Promise<string[]> {
  let found: string[] = [];
  for (const endMs = Date.now() + noticeMs; Date.now() < endMs; await delay(500)) {
    const helpers = await host.helpers(box.id);
    const { body } = await server.http.json("GET", urls.box(box.id));
    const { impaired = "", status } = boxSchema.parse(body);
    if (status !== "running") return [];
    const parts = [
      { name: "the network", isDead: box.network && !helpers.some(({ name }) => name.startsWith("passt")) },
      { name: "the volume", isDead: box.hasVolume && !servesVolume(helpers) },
    ];
    found = parts
      .filter(({ name, isDead }) => impaired.includes(`${name} `) !== isDead)
      .map(({ name, isDead }) => `${name} of box ${box.id} ${isDead ? "is dead" : "works"}, and it says "${impaired}"`);
    if (found.length === 0) return [];
  }
  return found;
}

/** Whether the volume of the box with these processes is served. */
export function servesVolume(helpers: readonly HelperProcess[]): boolean {
  return helpers.some(({ name }) => name === "virtiofsd");
}

function programViolations(follower: Follower, boxes: ReadonlyMap<string, KnownBox>): string[] {
  const { program, stdout, exitCode, error, isGone, wrong } = follower;
  const box = boxes.get(program.boxId);
  const about = `exec ${program.execId} in ${program.boxId}`;
  const found = wrong.map((what) => `${about}: ${what}`);
  if (isGone) return box?.isRemoved === true ? found : [...found, `${about} is gone, and its box was not removed`];
  if (!follower.hasEnded) return [...found, `a reader of ${about} waits for ever`];
  const whole = program.whole();
  if (!whole.startsWith(stdout)) found.push(`${about} has a hole or a repeat in ${JSON.stringify(stdout.slice(-200))}`);
  const wasLeftAlone = !program.isCanceled && box?.ends === program.endsBefore;
  const isWhole = stdout === whole && exitCode === program.exitCode;
  if (wasLeftAlone && !isWhole) {
    found.push(
      `${about} was left alone and ended with ${exitCode} (${error}) after ${stdout.length} of ${whole.length} bytes`,
    );
  }
  if (exitCode === program.exitCode && stdout !== whole)
    found.push(`${about} ended well with ${stdout.length} bytes of ${whole.length}`);
  return found;
}

/** What flushed files of a running box are missing or altered. */
export async function missingFiles(server: TestServer, box: KnownBox): Promise<string[]> {
  if (box.flushed.size === 0) return [];
  const { stdout } = await server.http.run(box.id, [
    "sh",
    "-c",
    "cd /root && for f in kept-*; do echo $f $(cat $f); done",
  ]);
  const there = new Set(stdout.trim().split("\n"));
  return [...box.flushed]
    .filter((name) => !there.has(`${name} ${name}`))
    .map((name) => `${box.id} has lost ${name}; it has ${JSON.stringify(stdout)}`);
}
