import { BoxRunError, type BoxStatus, boxStatusSchema } from "@boxrun/contract";
import type { BoxPatch, BoxRecord, BoxStore, RequestKey } from "@boxrun/core";
import { z } from "zod";
import { boxRow } from "./box-row.ts";
import { cursors, pageParameters } from "./cursors.ts";
import { type Database, durable, jsonColumn, jsonOrNull } from "./database.ts";
import { behindPrefix } from "./prefix.ts";
import type { RequestKeys } from "./request-keys.ts";
import { isUniqueViolation } from "./sqlite-errors.ts";

export const environmentColumn = jsonColumn(z.record(z.string(), z.string())).nullable();

/** Names of variables, none where nothing is stored. */
export const namesColumn = jsonColumn(z.array(z.string()))
  .nullable()
  .transform((names) => names ?? []);

export function namesOrNull(names: readonly string[]): string | null {
  return jsonOrNull(names.length === 0 ? null : names);
}

/** That a box has all labels of a JSON object; `null` there is any value. */
const labelled = `NOT EXISTS (SELECT 1 FROM json_each(?) AS wanted WHERE NOT EXISTS (
  SELECT 1 FROM json_each(coalesce(boxes.labels, '{}')) AS had
  WHERE had.key = wanted.key AND (wanted.type = 'null' OR had.value = wanted.value)))`;

const countRow = z.object({ status: boxStatusSchema, count: z.int() });

/** A box with fewer goes in one statement, with all of them; of another they are deleted by and by. */
const execsAtOnce = 1_000;

/** `onDelete` is called after a box's output, and execs, were given up, for someone to collect them. */
export function boxStore(db: Database, keys: RequestKeys, onDelete: () => void): BoxStore {
  const insert = db.command(
    "insert a box",
    `INSERT INTO boxes (id, name, status, image, image_digest, image_config, cpu, memory_mb, disk_size_gb, network, workdir, env,
       volumes, secret_env, ports, labels, expires_at_ms, on_expiry, ephemeral, engine, engine_id, error_code, error_message, created_at_ms, started_at_ms, stopped_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const byId = db.query("read a box", "SELECT * FROM boxes WHERE id = ? AND status <> 'removed'", boxRow);
  const byName = db.query("read a box", "SELECT * FROM boxes WHERE name = ?", boxRow);
  const byPrefix = db.query(
    "read a box",
    "SELECT * FROM boxes WHERE id >= ? AND id < ? AND status <> 'removed' LIMIT 10",
    boxRow,
  );
  const all = db.query(
    "list boxes",
    `SELECT * FROM boxes WHERE status <> 'removed' AND (created_at_ms, rowid) < (?, ?) AND ${labelled} ORDER BY created_at_ms DESC, rowid DESC LIMIT ?`,
    boxRow,
  );
  const withStatus = db.query(
    "list boxes",
    `SELECT * FROM boxes WHERE status = ? AND (created_at_ms, rowid) < (?, ?) AND ${labelled} ORDER BY created_at_ms DESC, rowid DESC LIMIT ?`,
    boxRow,
  );
  const mortal = db.query(
    "list boxes that expire",
    "SELECT id, expires_at_ms FROM boxes WHERE expires_at_ms IS NOT NULL AND status <> 'removed' ORDER BY expires_at_ms",
    z
      .object({ id: z.string(), expires_at_ms: z.int() })
      .transform((row) => ({ id: row.id, expiresAtMs: row.expires_at_ms })),
  );
  const updateSql = `UPDATE boxes SET status = ?, image_digest = ?, image_config = ?, workdir = ?, engine_id = ?, error_code = ?, error_message = ?,
       started_at_ms = ?, stopped_at_ms = ?, expires_at_ms = ?, on_expiry = ? WHERE id = ?`;
  const update = durable(db, "update a box", updateSql);
  const updateUnfinished = db.command("update a box", updateSql);
  const remove = durable(db, "delete a box", "DELETE FROM boxes WHERE id = ?");
  const counts = db.query("count boxes", "SELECT status, count FROM box_counts WHERE status <> 'removed'", countRow);
  const execs = db.query(
    "count a box's execs",
    "SELECT count(*) AS count FROM (SELECT 1 FROM execs WHERE box_id = ? LIMIT ?)",
    z.object({ count: z.int() }),
  );
  const removeSessions = db.command("delete a box's sessions", "DELETE FROM sessions WHERE box_id = ?");
  const hide = db.command("delete a box", "UPDATE boxes SET status = 'removed', name = NULL WHERE id = ?");

  const insertBox = (box: BoxRecord) =>
    insert(
      box.id,
      box.name,
      box.status,
      box.image,
      box.imageDigest,
      jsonOrNull(box.imageConfig),
      box.cpu,
      box.memoryMb,
      box.diskSizeGb,
      box.network ? 1 : 0,
      box.workdir,
      jsonOrNull(box.env),
      jsonOrNull(box.volumes),
      namesOrNull(box.secretEnv),
      jsonOrNull(box.ports.length === 0 ? null : box.ports),
      jsonOrNull(Object.keys(box.labels).length === 0 ? null : box.labels),
      box.expiresAtMs,
      box.onExpiry,
      box.ephemeral ? 1 : 0,
      box.engine,
      box.engineId,
      box.errorCode,
      box.errorMessage,
      box.createdAtMs,
      box.startedAtMs,
      box.stoppedAtMs,
    );

  return {
    insert(box: BoxRecord, key?: RequestKey): void {
      const made = { boxId: box.id, execId: null };
      try {
        db.durably("insert a box", () => keys.with("insert a box", key, made, () => insertBox(box)));
      } catch (error) {
        if (!isUniqueViolation(error) || box.name === null || byName.get(box.name) === undefined) throw error;
        throw new BoxRunError("NAME_ALREADY_EXISTS", `Cannot create the box: another one has the name '${box.name}'.`, {
          cause: error,
        });
      }
    },
    get: (id) => byId.get(id),
    getByName: (name) => byName.get(name),
    startingWith: (prefix) => byPrefix.all(prefix, behindPrefix(prefix)),
    list: (status, page, labels = {}) => {
      const [createdAtMs, rowid, limit] = pageParameters(page);
      const parameters = [createdAtMs, rowid, JSON.stringify(labels), limit] as const;
      return status === undefined ? all.all(...parameters) : withStatus.all(status, ...parameters);
    },
    expiring: () => mortal.all(),
    cursor: cursors(db, "boxes"),
    update(id: string, patch: BoxPatch): BoxRecord | undefined {
      const current = byId.get(id);
      if (current === undefined) return undefined;
      const box = { ...current, ...patch };
      // One that is being created is given up by the next server, whatever else is known of it; what it becomes takes along what was written before.
      const isUnfinished =
        current.status === "creating" && box.status === "creating" && patch.expiresAtMs === undefined;
      const write = isUnfinished ? updateUnfinished : update;
      write(
        box.status,
        box.imageDigest,
        jsonOrNull(box.imageConfig),
        box.workdir,
        box.engineId,
        box.errorCode,
        box.errorMessage,
        box.startedAtMs,
        box.stoppedAtMs,
        box.expiresAtMs,
        box.onExpiry,
        id,
      );
      return box;
    },
    count(): Record<BoxStatus, number> {
      const sum = { creating: 0, running: 0, stopped: 0, error: 0 };
      for (const { status, count } of counts.all()) sum[status] = count;
      return sum;
    },
    delete(id: string): void {
      if ((execs.get(id, execsAtOnce)?.count ?? 0) < execsAtOnce) remove(id);
      else {
        db.durably("delete a box", () =>
          db.transaction("delete a box", () => {
            removeSessions(id);
            hide(id);
          }),
        );
      }
      onDelete();
    },
  };
}
