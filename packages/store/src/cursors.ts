import type { PageRequest } from "@boxrun/core";
import { z } from "zod";
import type { Database } from "./database.ts";

/** A place in a list of what came when, newest first: before all that is this new, and was inserted this late. */
type Place = readonly [createdAtMs: number, key: number];

/** Before everything. */
const start: Place = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];

/** The parameters of a statement that lists what is behind `(created_at_ms, key) < (?, ?) … LIMIT ?`. */
export function pageParameters(page: PageRequest | undefined): [number, number, number] {
  const [createdAtMs = 0, key = 0] = page?.after === undefined ? start : page.after.split(".").map(Number);
  return [createdAtMs, key, page?.limit ?? -1];
}

const placeRow = z.object({ created_at_ms: z.int(), key: z.int() });

/** Of a table's rows, by id. */
export function cursors(db: Database, table: "boxes" | "execs"): (id: string) => string {
  const place = db.query("read a list", `SELECT created_at_ms, rowid AS key FROM ${table} WHERE id = ?`, placeRow);
  return (id) => {
    const { created_at_ms, key } = place.get(id) ?? { created_at_ms: 0, key: 0 };
    return `${created_at_ms}.${key}`;
  };
}
