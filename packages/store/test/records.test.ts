import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "@boxrun/core";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { openStore } from "../src/index.ts";
import { temporaryDir, thrownBy } from "./support/fixtures.ts";
import { box, exec, line, stored, succeeded } from "./support/records.ts";

let path: string;
let store: Store;

beforeEach(() => {
  path = join(temporaryDir(), "boxrun.db");
  store = openStore({ path });
  onTestFinished(() => store.close());
});

const fullBox = box("box_full00000000", {
  name: "dev",
  status: "error",
  imageDigest: "sha256:00",
  imageConfig: { env: { PATH: "/bin" }, user: "me", workdir: "/w" },
  network: true,
  env: { KEY: "väl\nue", "": "x" },
  volumes: [{ host_path: "/a b", guest_path: "/b", readonly: true }],
  engineId: "vm-1",
  errorCode: "RUNTIME_ERROR",
  errorMessage: "it's broken",
  startedAtMs: 2_000,
  stoppedAtMs: 3_000,
});

describe("boxes", () => {
  test("every field is read back as it was written, also after reopening", async () => {
    store.boxes.insert(fullBox);
    store.boxes.insert(box("box_plain0000000"));
    expect(store.boxes.get("box_full00000000")).toEqual(fullBox);
    await store.close();
    store = openStore({ path });
    expect(store.boxes.get("box_full00000000")).toEqual(fullBox);
    expect(store.boxes.get("box_plain0000000")).toEqual(box("box_plain0000000"));
    expect(store.boxes.getByName("dev")).toEqual(fullBox);
  });

  test("an unknown id or name gives undefined", () => {
    expect(store.boxes.get("box_none00000000")).toBeUndefined();
    expect(store.boxes.getByName("none")).toBeUndefined();
  });

  test("a second box of the same name is refused, one without a name is not", () => {
    store.boxes.insert(box("box_1", { name: "dev" }));
    expect(thrownBy(() => store.boxes.insert(box("box_2", { name: "dev" })))).toMatchObject({
      code: "NAME_ALREADY_EXISTS",
      message: expect.stringContaining("'dev'"),
    });
    store.boxes.insert(box("box_3"));
    store.boxes.insert(box("box_4"));
    expect(store.boxes.list().map(({ id }) => id)).toEqual(["box_4", "box_3", "box_1"]);
  });

  test("the same id twice is a RUNTIME_ERROR, also when the name is taken by the same box", () => {
    store.boxes.insert(box("box_1"));
    expect(thrownBy(() => store.boxes.insert(box("box_1")))).toMatchObject({ code: "RUNTIME_ERROR" });
  });

  test("the list is newest first, and can be narrowed to a status", () => {
    store.boxes.insert(box("box_old", { createdAtMs: 1, status: "stopped" }));
    store.boxes.insert(box("box_new", { createdAtMs: 3 }));
    store.boxes.insert(box("box_mid", { createdAtMs: 2 }));
    store.boxes.insert(box("box_mid_later", { createdAtMs: 2 }));
    expect(store.boxes.list().map(({ id }) => id)).toEqual(["box_new", "box_mid_later", "box_mid", "box_old"]);
    expect(store.boxes.list("running").map(({ id }) => id)).toEqual(["box_new", "box_mid_later", "box_mid"]);
    expect(store.boxes.list("creating")).toEqual([]);
  });

  test("an update changes what it names and nothing else, and can set null", () => {
    store.boxes.insert(fullBox);
    const patch = { status: "running", errorCode: null, errorMessage: null, startedAtMs: 9_000 } as const;
    expect(store.boxes.update(fullBox.id, patch)).toEqual({ ...fullBox, ...patch });
    expect(store.boxes.get(fullBox.id)).toEqual({ ...fullBox, ...patch });
  });

  test("an update of a box that is gone gives undefined", () => {
    expect(store.boxes.update("box_none00000000", { status: "stopped" })).toBeUndefined();
  });

  test("a removed box takes its execs with it, may be removed again, and frees its name", () => {
    store.boxes.insert(box("box_1", { name: "dev" }));
    store.boxes.insert(box("box_2"));
    store.execs.insert(exec("exec_1", "box_1"));
    store.execs.insert(exec("exec_2", "box_2"));
    store.boxes.delete("box_1");
    store.boxes.delete("box_1");
    expect(store.boxes.get("box_1")).toBeUndefined();
    expect(store.execs.get("exec_1")).toBeUndefined();
    expect(store.execs.get("exec_2")).toBeDefined();
    store.boxes.insert(box("box_3", { name: "dev" }));
    expect(store.boxes.getByName("dev")?.id).toBe("box_3");
  });
});

describe("execs", () => {
  test("every field is read back as it was written", () => {
    store.boxes.insert(box("box_1"));
    const full = exec("exec_full", "box_1", {
      status: "failed",
      cmd: ["sh", "-c", 'echo "ä\n"', ""],
      env: { A: "1" },
      workdir: "/w",
      user: "1000:1000",
      tty: true,
      stdin: true,
      timeoutMs: 2_147_483_647,
      exitCode: 127,
      errorMessage: "no such command",
      finishedAtMs: 5_000,
    });
    store.execs.insert(full);
    store.execs.insert(exec("exec_plain", "box_1"));
    expect(store.execs.get("exec_full")).toEqual(full);
    expect(store.execs.get("exec_plain")).toEqual(exec("exec_plain", "box_1"));
    expect(store.execs.get("exec_none")).toBeUndefined();
  });

  test("a box's execs are listed newest first, running ones of all boxes oldest first", () => {
    store.boxes.insert(box("box_1"));
    store.boxes.insert(box("box_2"));
    store.execs.insert(exec("exec_b", "box_1", { createdAtMs: 2 }));
    store.execs.insert(exec("exec_a", "box_2", { createdAtMs: 1 }));
    store.execs.insert(exec("exec_c", "box_1", { createdAtMs: 2 }));
    store.execs.insert(exec("exec_d", "box_1", { createdAtMs: 3, status: "succeeded" }));
    expect(store.execs.listByBox("box_1").map(({ id }) => id)).toEqual(["exec_d", "exec_c", "exec_b"]);
    expect(store.execs.listByBox("box_none")).toEqual([]);
    expect(store.execs.running().map(({ id }) => id)).toEqual(["exec_a", "exec_b", "exec_c"]);
  });

  test("an exec of a box that was removed is refused", () => {
    expect(thrownBy(() => store.execs.insert(exec("exec_1", "box_gone")))).toMatchObject({ code: "BOX_NOT_FOUND" });
  });
});

describe("an end that is not confirmed", () => {
  const canceled = { ...succeeded, status: "canceled", exitCode: null, isUnconfirmed: true } as const;
  const session = {
    ...{ id: "sess_1", boxId: "box_1", name: "work", shell: null, cols: 80, rows: 24 },
    ...{ createdAtMs: 1_000, outputOffset: 7, modes: [] },
  };

  const messages = { canceled: "was canceled, and has ended", timeout: "took too long, and has ended" };

  beforeEach(() => store.boxes.insert(box("box_1")));

  test("is kept with the end of its exec or its session, and with what the box has forgotten, until it is confirmed", async () => {
    for (const id of ["exec_1", "exec_2"]) store.execs.insert(exec(id, "box_1"));
    await store.output.append("exec_1", [line("said")], stored(4));
    await store.output.finish("exec_1", canceled);
    await store.output.finish("exec_2", succeeded);
    for (const id of ["sess_1", "sess_2"]) store.sessions.insert({ ...session, id, name: id });
    store.sessions.delete("sess_1", { isUnconfirmed: true });
    store.sessions.delete("sess_2", { isUnconfirmed: false });
    const ends = [
      { execId: "exec_1", boxId: "box_1", acknowledged: { stdout: 4, stderr: 0 } },
      { execId: "sess_1", boxId: "box_1", acknowledged: { stdout: 7, stderr: 0 } },
    ];
    expect(store.unconfirmedEnds.list()).toEqual(ends);
    await store.close();
    store = openStore({ path });
    expect(store.unconfirmedEnds.list()).toEqual(ends);
    store.unconfirmedEnds.acknowledge("exec_1", { stdout: 9, stderr: 1 });
    store.unconfirmedEnds.confirm("sess_1", messages);
    store.unconfirmedEnds.confirm("sess_1", messages);
    expect(store.unconfirmedEnds.list()).toEqual([{ ...ends[0], acknowledged: { stdout: 9, stderr: 1 } }]);
    // Too late.
    await store.output.finish("exec_2", canceled);
    store.unconfirmedEnds.confirm("exec_1", messages);
    store.unconfirmedEnds.acknowledge("exec_1", { stdout: 10, stderr: 1 });
    expect(store.unconfirmedEnds.list()).toEqual([]);
    expect(store.execs.get("exec_1")?.errorMessage).toBe("was canceled, and has ended");
    expect(store.execs.get("exec_2")?.errorMessage).toBeNull();
  });

  test("goes with its box, also with one that is deleted by and by", async () => {
    store.execs.insert(exec("exec_1", "box_1"));
    await store.output.finish("exec_1", canceled);
    store.boxes.insert(box("box_many"));
    for (let n = 0; n < 1_000; n += 1) store.execs.insert(exec(`exec_many_${n}`, "box_many"));
    await store.output.finish("exec_many_0", canceled);
    expect(store.unconfirmedEnds.list()).toHaveLength(2);
    store.boxes.delete("box_1");
    store.boxes.delete("box_many");
    expect(store.unconfirmedEnds.list()).toEqual([]);
  });
});

describe("images", () => {
  const record = {
    reference: "base",
    digest: "sha256:1",
    sizeBytes: 5_000_000_000,
    config: { env: { PATH: "/bin" }, user: null, workdir: null },
    createdAtMs: 1_000,
  };

  test("a record is stored, replaced under the same reference, listed by reference, and deleted idempotently", () => {
    store.images.put({ ...record, reference: "zebra" });
    store.images.put(record);
    expect(store.images.get("base")).toEqual(record);
    store.images.put({ ...record, digest: "sha256:2" });
    expect(store.images.list().map(({ reference, digest }) => [reference, digest])).toEqual([
      ["base", "sha256:2"],
      ["zebra", "sha256:1"],
    ]);
    store.images.delete("base");
    store.images.delete("base");
    expect(store.images.get("base")).toBeUndefined();
  });
});

test("a row that someone has damaged is a RUNTIME_ERROR that names the file and the field", () => {
  store.boxes.insert(fullBox);
  const other = new DatabaseSync(path);
  onTestFinished(() => other.close());
  for (const damage of ["status = 'flying'", "env = '{'", "volumes = '[{}]'"]) {
    other.exec(`UPDATE boxes SET ${damage}`);
    const field = damage.split(" ")[0] ?? "";
    expect(thrownBy(() => store.boxes.get(fullBox.id))).toMatchObject({
      code: "RUNTIME_ERROR",
      message: expect.stringMatching(new RegExp(`${path}.*(${field}|JSON)`, "s")),
    });
    other.exec("UPDATE boxes SET status = 'running', env = NULL, volumes = NULL");
  }
});
