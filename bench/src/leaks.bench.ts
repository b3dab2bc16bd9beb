import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { urls } from "@boxrun/contract";
import { TestServer } from "../../test/e2e/support/server.ts";
import type { Figure } from "./figures.ts";

const rounds = 50;

interface Census {
  readonly processes: number;
  readonly descriptors: number;
  readonly files: number;
  readonly rows: number;
}

/** 50 × create, exec, rm: afterwards there is nothing more than after the first. */
export async function benchLeaks(): Promise<Figure[]> {
  await using server = await TestServer.start();
  await round(server);
  const before = await census(server);
  for (let n = 0; n < rounds; n += 1) await round(server);
  const after = await settled(server, before);
  return (Object.keys(before) as (keyof Census)[]).map((what) => ({
    name: `${what} after ${rounds} × create, exec, rm`,
    value: String(after[what]),
    reference: `${before[what]} after the first`,
    bar: "no more than before",
    held: after[what] <= before[what],
  }));
}

async function round(server: TestServer): Promise<void> {
  const box = await server.http.createBox();
  const result = await server.http.run(box.id, ["echo", "hello"]);
  if (result.stdout !== "hello\n") throw new Error(`echo printed ${JSON.stringify(result.stdout)}`);
  const answer = await server.http.json("DELETE", urls.removeBox(box.id, true));
  if (answer.status !== 200) throw new Error(`rm answered ${JSON.stringify(answer.body)}`);
}

/** Output of removed boxes is deleted, and connections are closed, a moment after the answer: they get that moment. */
async function settled(server: TestServer, before: Census): Promise<Census> {
  const deadlineMs = Date.now() + 10_000;
  for (;;) {
    const now = await census(server);
    const over = (Object.keys(before) as (keyof Census)[]).some((what) => now[what] > before[what]);
    if (!over || Date.now() > deadlineMs) return now;
    await delay(100);
  }
}

async function census(server: TestServer): Promise<Census> {
  const all = await readdir(server.stateDir, { recursive: true });
  const database = all.find((name) => name.endsWith(".db") || name.endsWith(".sqlite"));
  if (database === undefined) throw new Error(`no database among ${all.join(", ")}`);
  return {
    processes: [...(await server.boxProcesses()).values()].flat().length,
    descriptors: (await readdir(`/proc/${server.pid}/fd`)).length,
    files: all.length,
    rows: countRows(join(server.stateDir, database)),
  };
}

/** What is kept on purpose: what was done, and what was asked for with a key. */
const kept = new Set(["history", "request_keys"]);

function countRows(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
    return tables.reduce((sum, { name }) => {
      if (kept.has(String(name))) return sum;
      const counted = database.prepare(`SELECT count(*) AS n FROM "${String(name)}"`).get();
      return sum + Number(counted?.n);
    }, 0);
  } finally {
    database.close();
  }
}
