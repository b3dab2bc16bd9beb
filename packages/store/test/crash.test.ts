import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { openStore } from "../src/index.ts";
import { temporaryDir } from "./support/fixtures.ts";
import { stored } from "./support/records.ts";

test("after SIGKILL every write whose promise had resolved is there, in order, and nothing is torn", async () => {
  const path = join(temporaryDir(), "boxrun.db");
  const child = spawn(process.execPath, [join(import.meta.dirname, "support/appender.ts"), path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const closed = once(child, "close");
  let committed = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    committed = Number(line);
    if (committed >= 300 && !child.killed) child.kill("SIGKILL");
  }
  expect(await closed).toEqual([null, "SIGKILL"]);
  expect(committed).toBeGreaterThanOrEqual(300);

  const store = openStore({ path });
  onTestFinished(() => store.close());
  const events = store.output.read("exec_1", 0, Number.MAX_SAFE_INTEGER);
  // The last commit may have gone through before the child could say so.
  expect(events.length - committed).toBeOneOf([0, 1]);
  expect(events.map(({ seq, data }) => `${seq} ${data}`)).toEqual(
    events.map((_, index) => `${index + 1} line ${index + 1}`),
  );
  expect(store.output.progress("exec_1")).toEqual(stored(events.length));
});
