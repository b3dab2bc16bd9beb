import { existsSync, statSync } from "node:fs";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Checkpoints } from "../src/checkpoints.ts";
import { openStore } from "../src/index.ts";
import { temporaryDir } from "./support/fixtures.ts";
import { box, exec, line, stored } from "./support/records.ts";

const mb = 1024 * 1024;
const piece = "x".repeat(mb);

function openWithExec() {
  const path = join(temporaryDir(), "boxrun.db");
  const store = openStore({ path });
  onTestFinished(() => store.close());
  store.boxes.insert(box("box_1"));
  store.execs.insert(exec("exec_1", "box_1"));
  const write = async (pieces: number) => {
    for (let n = 1; n <= pieces; n += 1) await store.output.append("exec_1", [line(piece)], stored(n * mb));
  };
  return { path, store, write, size: () => statSync(path).size };
}

test("output goes into the log while it is written, and from there into the file once nothing more comes", async () => {
  const { path, size, write } = openWithExec();
  await write(20);
  expect(size()).toBeLessThan(mb);
  await expect.poll(size, { timeout: 30_000 }).toBeGreaterThan(20 * mb);
  // What was moved makes room in the log for what comes next.
  await expect.poll(() => write(1).then(() => statSync(`${path}-wal`).size), { timeout: 30_000 }).toBeLessThan(17 * mb);
});

test("small changes add up to that", async () => {
  const { store, size } = openWithExec();
  const text = "x".repeat(20_000);
  for (let n = 0; n < 1000; n += 1) store.boxes.insert(box(`box_small_${n}`, { env: { TEXT: text } }));
  expect(size()).toBeLessThan(mb);
  await expect.poll(size, { timeout: 30_000 }).toBeGreaterThan(1000 * text.length);
});

test("very much is moved while it is written, and a store that is closed meanwhile is whole and leaves no log", async () => {
  const { path, store, write } = openWithExec();
  await write(130);
  await store.close();
  expect(existsSync(`${path}-wal`)).toBe(false);
  expect(statSync(path).size).toBeGreaterThan(130 * mb);
  const again = openStore({ path });
  onTestFinished(() => again.close());
  expect(again.output.read("exec_1", 129, 1)).toMatchObject([{ seq: 130, bytes: mb }]);
});

test("a file that can't be had is nobody's trouble: whoever writes to it will say so", async () => {
  const path = join(temporaryDir(), "boxrun.db");
  await writeFile(`${path}-wal`, Buffer.alloc(200 * mb));
  await mkdir(path);
  const checkpoints = new Checkpoints(path);
  checkpoints.wrote();
  await checkpoints.close();
  expect((await stat(path)).isDirectory()).toBe(true);
});
