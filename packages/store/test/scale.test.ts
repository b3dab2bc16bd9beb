import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test, vi } from "vitest";
import { openStore } from "../src/index.ts";
import { temporaryDir } from "./support/fixtures.ts";
import { box, exec, line, stored } from "./support/records.ts";

function open() {
  const path = join(temporaryDir(), "boxrun.db");
  const store = openStore({ path });
  onTestFinished(() => store.close());
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  const rows = () =>
    Number(
      db
        .prepare(
          "SELECT (SELECT count(*) FROM boxes) + (SELECT count(*) FROM execs) + (SELECT count(*) FROM events) AS n",
        )
        .get()?.n,
    );
  return { store, db, rows };
}

test("a box with very many execs is gone at once for everybody, and they are deleted by and by", async () => {
  const { store, db, rows } = open();
  store.boxes.insert(box("box_1", { name: "dev" }));
  store.boxes.insert(box("box_2"));
  store.execs.insert(exec("exec_2", "box_2"));
  for (let n = 0; n < 3_000; n++) store.execs.insert(exec(`many_${n}`, "box_1"));
  await store.output.append("many_7", [line("text")], stored(4));

  store.boxes.delete("box_1");
  // What is left of it, which a cascade would have deleted here and now.
  expect(db.prepare("SELECT count(*) AS n FROM execs WHERE box_id = 'box_1'").get()).toEqual({ n: 3_000 });
  expect(store.boxes.get("box_1")).toBeUndefined();
  expect(store.boxes.list().map(({ id }) => id)).toEqual(["box_2"]);
  expect(store.execs.get("many_7")).toBeUndefined();
  expect(store.execs.listByBox("box_1")).toEqual([]);
  expect(store.execs.running().map(({ id }) => id)).toEqual(["exec_2"]);
  expect(store.output.read("many_7", 0, 100)).toEqual([]);
  expect(() => store.execs.insert(exec("late", "box_1"))).toThrow(/was removed/);
  store.boxes.insert(box("box_3", { name: "dev" }));
  await vi.waitFor(() => expect(rows()).toBe(3), { timeout: 20_000, interval: 10 });
  expect(store.execs.listByBox("box_2")).toHaveLength(1);
  expect(store.output.totalBytes()).toBe(0);
});

test("boxes are counted as they come, change and go", () => {
  const { store } = open();
  for (const id of ["box_1", "box_2", "box_3"]) store.boxes.insert(box(id, { status: "creating" }));
  store.boxes.update("box_1", { status: "running" });
  store.boxes.update("box_2", { status: "running" });
  store.boxes.update("box_2", { status: "stopped" });
  store.boxes.delete("box_3");
  expect(store.boxes.count()).toEqual({ creating: 0, running: 1, stopped: 1, error: 0 });
  for (let n = 0; n < 1_000; n++) store.execs.insert(exec(`many_${n}`, "box_2"));
  store.boxes.delete("box_2");
  expect(store.boxes.count()).toEqual({ creating: 0, running: 1, stopped: 0, error: 0 });
});
