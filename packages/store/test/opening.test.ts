import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { openStore } from "../src/index.ts";
import { migrate, migrations } from "../src/migrations.ts";
import { temporaryDir, thrownBy } from "./support/fixtures.ts";
import { box } from "./support/records.ts";

function openError(path: string): unknown {
  return thrownBy(() => openStore({ path }));
}

/** RUNTIME_ERROR that names the file and says `what`. */
function failure(path: string, what: RegExp): object {
  return { code: "RUNTIME_ERROR", message: expect.stringMatching(what), details: expect.objectContaining({ path }) };
}

describe("a new database", () => {
  test("is made with mode 0600 whatever the umask, its log too, and is readable by its owner alone when it was not", async () => {
    const path = join(temporaryDir(), "boxrun.db");
    const umask = process.umask(0);
    const store = openStore({ path });
    process.umask(umask);
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600);
    await store.close();
    chmodSync(path, 0o644);
    await openStore({ path }).close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("is in WAL mode, vacuums incrementally, and enforces foreign keys", async () => {
    const path = join(temporaryDir(), "boxrun.db");
    const store = openStore({ path });
    onTestFinished(() => store.close());
    const db = new DatabaseSync(path);
    onTestFinished(() => db.close());
    expect(db.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    expect(db.prepare("PRAGMA auto_vacuum").get()).toEqual({ auto_vacuum: 2 });
    expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  });
});

describe("migrations", () => {
  test.each(migrations.map((_, version) => version).concat(migrations.length))(
    "a database of version %i is brought up to date and works",
    async (version) => {
      const path = join(temporaryDir(), "boxrun.db");
      const old = new DatabaseSync(path);
      migrate(old, migrations.slice(0, version));
      expect(old.prepare("PRAGMA user_version").get()).toEqual({ user_version: version });
      old.close();
      const store = openStore({ path });
      store.boxes.insert(box("box_1"));
      expect(store.boxes.get("box_1")).toEqual(box("box_1"));
      await store.close();
      const now = new DatabaseSync(path);
      onTestFinished(() => now.close());
      expect(now.prepare("PRAGMA user_version").get()).toEqual({ user_version: migrations.length });
    },
  );

  test("a database is copied before it is brought up to date, for its owner alone, and an older BoxRun names the copy", async () => {
    const path = join(temporaryDir(), "boxrun.db");
    const old = new DatabaseSync(path);
    migrate(old, migrations.slice(0, -1));
    old.exec(
      "INSERT INTO images (reference, digest, size_bytes, config, created_at_ms) VALUES ('a', 'sha256:b', 1, '{}', 1)",
    );
    old.close();
    await openStore({ path }).close();
    const backup = new DatabaseSync(`${path}.backup`, { readOnly: true });
    onTestFinished(() => backup.close());
    expect(backup.prepare("PRAGMA user_version").get()).toEqual({ user_version: migrations.length - 1 });
    expect(backup.prepare("SELECT reference FROM images").all()).toEqual([{ reference: "a" }]);
    expect(statSync(`${path}.backup`).mode & 0o777).toBe(0o600);
    const newer = new DatabaseSync(path);
    newer.exec("PRAGMA user_version = 99");
    newer.close();
    expect(openError(path)).toMatchObject(failure(path, /Install the newer BoxRun again, or put .*boxrun\.db\.backup/));
  });

  test("one that can't be copied is not changed, and one that is up to date is not copied", async () => {
    const path = join(temporaryDir(), "boxrun.db");
    const old = new DatabaseSync(path);
    migrate(old, migrations.slice(0, -1));
    old.close();
    mkdirSync(`${path}.backup`);
    expect(openError(path)).toMatchObject(failure(path, /Cannot open the database/));
    const left = new DatabaseSync(path);
    expect(left.prepare("PRAGMA user_version").get()).toEqual({ user_version: migrations.length - 1 });
    left.close();
    rmdirSync(`${path}.backup`);
    await openStore({ path }).close();
    rmSync(`${path}.backup`);
    await openStore({ path }).close();
    expect(existsSync(`${path}.backup`)).toBe(false);
  });

  test("what an older BoxRun would have told running boxes to end once more is an end that is not confirmed", async () => {
    const path = join(temporaryDir(), "boxrun.db");
    const old = new DatabaseSync(path);
    migrate(old, migrations.slice(0, 14));
    for (const status of ["running", "stopped"]) {
      old.exec(`INSERT INTO boxes (id, status, image, cpu, memory_mb, disk_size_gb, network, workdir, engine, created_at_ms)
        VALUES ('box_${status}', '${status}', 'base', 1, 128, 1, 0, '/', 'qemu', 1)`);
      for (const end of ["canceled", "timeout", "failed", "running"]) {
        for (const code of [143, "NULL"]) {
          old.exec(`INSERT INTO execs (id, box_id, status, cmd, tty, stdin, created_at_ms, exit_code, stdout_offset, stderr_offset)
            VALUES ('${status}_${end}_${code}', 'box_${status}', '${end}', '[]', 0, 0, 1, ${code}, 5, 6)`);
        }
      }
    }
    old.close();
    const store = openStore({ path });
    onTestFinished(() => store.close());
    const acknowledged = { stdout: 5, stderr: 6 };
    expect(store.unconfirmedEnds.list()).toEqual([
      { execId: "running_canceled_NULL", boxId: "box_running", acknowledged },
      { execId: "running_timeout_NULL", boxId: "box_running", acknowledged },
    ]);
  });

  test("one that fails leaves the version before it, whole, and the next start goes on from there", () => {
    const path = join(temporaryDir(), "boxrun.db");
    const db = new DatabaseSync(path);
    onTestFinished(() => db.close());
    const first = "CREATE TABLE a (x INTEGER) STRICT";
    expect(() => migrate(db, [first, "CREATE TABLE b (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1)"])).toThrow(
      "nowhere",
    );
    expect(db.isTransaction).toBe(false);
    expect(db.prepare("PRAGMA user_version").get()).toEqual({ user_version: 1 });
    expect(db.prepare("SELECT name FROM sqlite_schema").all()).toEqual([{ name: "a" }]);
    migrate(db, [first, "CREATE TABLE b (x INTEGER) STRICT"]);
    expect(db.prepare("SELECT name FROM sqlite_schema ORDER BY name").all()).toEqual([{ name: "a" }, { name: "b" }]);
  });
});

describe("a database that can't be used", () => {
  test("one of a newer BoxRun is refused with both versions and left as it is", async () => {
    const path = join(temporaryDir(), "boxrun.db");
    await openStore({ path }).close();
    const db = new DatabaseSync(path);
    db.exec("PRAGMA user_version = 99");
    db.close();
    const before = readFileSync(path);
    expect(openError(path)).toMatchObject({
      ...failure(path, new RegExp(`${path}: it has version 99, .* up to ${migrations.length}\\. Install the newer`)),
      details: { path, version: 99, supported_version: migrations.length },
    });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("a file that is no database is refused and left as it is", () => {
    const path = join(temporaryDir(), "boxrun.db");
    const garbage = "this is not a database, ".repeat(100);
    writeFileSync(path, garbage);
    expect(openError(path)).toMatchObject(failure(path, /boxrun\.db: file is not a database\. .*move it aside/));
    expect(readFileSync(path, "utf8")).toBe(garbage);
  });

  test("another program's SQLite database is refused and left as it is", () => {
    const path = join(temporaryDir(), "boxrun.db");
    const db = new DatabaseSync(path);
    db.exec("CREATE TABLE boxes (id TEXT); PRAGMA user_version = 7");
    db.close();
    expect(openError(path)).toMatchObject(failure(path, /not one that this server made/));
    const again = new DatabaseSync(path);
    onTestFinished(() => again.close());
    expect(again.prepare("SELECT name FROM sqlite_schema").all()).toEqual([{ name: "boxes" }]);
  });

  test("a database with a page overwritten is refused as damaged", async () => {
    const path = join(temporaryDir(), "boxrun.db");
    await openStore({ path }).close();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 100, 4096);
    writeFileSync(path, bytes);
    expect(openError(path)).toMatchObject(failure(path, /malformed.*damaged/));
  });

  test("a directory in its place, a missing directory, and a file as its directory are named", () => {
    const dir = temporaryDir();
    mkdirSync(join(dir, "taken.db"));
    writeFileSync(join(dir, "file"), "");
    for (const [name, what] of [
      ["taken.db", /taken\.db: EISDIR.*A directory is in its place/],
      ["missing/boxrun.db", /ENOENT.*directory does not exist/],
      ["file/boxrun.db", /ENOTDIR.*directory does not exist/],
    ] as const) {
      const path = join(dir, name);
      expect(openError(path)).toMatchObject(failure(path, what));
    }
  });

  test.skipIf(process.getuid?.() !== 0)(
    "a directory or file that the user may not write to is named (as root only: needs another user to be)",
    () => {
      const dir = temporaryDir();
      chmodSync(dir, 0o755);
      const unwritable = join(dir, "boxrun.db");
      const unreadable = join(dir, "secret.db");
      writeFileSync(unreadable, "", { mode: 0o600 });
      process.seteuid?.(65_534);
      try {
        expect(openError(unwritable)).toMatchObject(failure(unwritable, /EACCES.*writable for the user/));
        expect(openError(unreadable)).toMatchObject(failure(unreadable, /EACCES.*writable for the user/));
      } finally {
        process.seteuid?.(0);
      }
    },
  );

  test("a database that another process holds is refused as busy", async () => {
    const path = join(temporaryDir(), "boxrun.db");
    await openStore({ path }).close();
    const holder = new DatabaseSync(path);
    onTestFinished(() => holder.close());
    holder.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    expect(openError(path)).toMatchObject(failure(path, /locked.*Another process holds it/));
  });
});
