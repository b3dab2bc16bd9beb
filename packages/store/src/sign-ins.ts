import type { SignInRecord, SignInStore } from "@boxrun/core";
import { z } from "zod";
import type { Database } from "./database.ts";

const signInRow = z
  .object({
    digest: z.string(),
    uid: z.int().nullable(),
    created_at_ms: z.int(),
    expires_at_ms: z.int(),
  })
  .transform(
    (row): SignInRecord => ({
      digest: row.digest,
      uid: row.uid,
      createdAtMs: row.created_at_ms,
      expiresAtMs: row.expires_at_ms,
    }),
  );

export function signInStore(db: Database): SignInStore {
  const insert = db.command(
    "insert a sign-in",
    "INSERT INTO sign_ins (digest, uid, created_at_ms, expires_at_ms) VALUES (?, ?, ?, ?)",
  );
  const expire = db.command("delete old sign-ins", "DELETE FROM sign_ins WHERE expires_at_ms <= ?");
  const trim = db.command(
    "delete old sign-ins",
    `DELETE FROM sign_ins WHERE digest IN (
       SELECT digest FROM sign_ins ORDER BY created_at_ms DESC, digest LIMIT -1 OFFSET ?)`,
  );
  const get = db.query("read a sign-in", "SELECT * FROM sign_ins WHERE digest = ?", signInRow);
  const remove = db.command("delete a sign-in", "DELETE FROM sign_ins WHERE digest = ?");

  return {
    insert({ digest, uid, createdAtMs, expiresAtMs }, max): void {
      db.transaction("insert a sign-in", () => {
        expire(createdAtMs);
        trim(max - 1);
        insert(digest, uid, createdAtMs, expiresAtMs);
      });
    },
    get: (digest) => get.get(digest),
    delete: (digest) => remove(digest),
  };
}
