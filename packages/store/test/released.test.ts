import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { openStore } from "../src/index.ts";
import { temporaryDir } from "./support/fixtures.ts";

/** `.dump` of the database of a BoxRun 0.4.0: one box that runs, with a command that has ended and one in flight, and one that was stopped. */
const dump = readFileSync(new URL("../../../fixtures/state-0.4.0/boxrun.sql", import.meta.url), "utf8");

test("the database of a 0.4.0 is taken over with its boxes, its commands and every byte of their output", async () => {
  const path = join(temporaryDir(), "boxrun.db");
  const old = new DatabaseSync(path);
  old.exec(dump);
  old.close();
  const store = openStore({ path });
  onTestFinished(() => store.close());
  expect(store.boxes.count()).toMatchObject({ running: 1, stopped: 1 });
  const [dev, done] = [store.boxes.getByName("dev"), store.boxes.getByName("done")];
  expect(dev).toMatchObject({ status: "running", image: "base", cpu: 1, memoryMb: 512, env: { GREETING: "hello" } });
  expect(dev).toMatchObject({ engine: "qemu", imageDigest: expect.stringMatching(/^sha256:/) });
  expect(done).toMatchObject({ status: "stopped", memoryMb: 256 });
  const execs = store.execs.listByBox(dev?.id ?? "");
  expect(execs.map(({ status, exitCode }) => ({ status, exitCode }))).toEqual(
    expect.arrayContaining([
      { status: "running", exitCode: null },
      { status: "failed", exitCode: 3 },
    ]),
  );
  const outputs = execs.map(({ id }) => store.output.read(id, 0, 1000).map(({ kind, data }) => [kind, data]));
  expect(outputs).toHaveLength(2);
  expect(outputs).toContainEqual([["log", "begun\n"]]);
  expect(outputs).toContainEqual([
    ["log", "out\n"],
    ["log", "err\n"],
    ["exit", '{"exit_code":3}'],
  ]);
  // Where the next server goes on reading what is in flight.
  expect(store.execs.running().map(({ id }) => store.output.progress(id).offsets)).toEqual([{ stdout: 6, stderr: 0 }]);
});
