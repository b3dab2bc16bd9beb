import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BoxRunError } from "@boxrun/contract";
import { z } from "zod";
import { isBusy, sqliteFailure } from "./sqlite-errors.ts";

/**
 * One server per state directory. The lock is SQLite's exclusive lock on `<stateDir>/lock`: a POSIX record lock, which the
 * kernel drops with the process, however that ends, and which children do not inherit. Who holds it stands in
 * `<stateDir>/server.json`, for people and for the message of whoever comes second.
 */
export interface StateLock {
  readonly stateDir: string;
  /** Idempotent. */
  release(): void;
  [Symbol.dispose](): void;
}

const holderSchema = z.object({
  pid: z.int().positive(),
  /** RFC 3339. */
  started_at: z.string(),
  /** The process's start in clock ticks since boot, where the kernel tells (Linux): tells a pid from its reuse. */
  start_ticks: z.string().nullable(),
});
export type StateHolder = z.infer<typeof holderSchema>;

/** A server that has just taken the lock writes down who it is a moment later. */
const holderDeadlineMs = 2_000;
const holderPollMs = 20;

/** RUNTIME_ERROR if another process has the directory (`details.pid` says which), or if it can't be written to. */
export function lockStateDir(stateDir: string): StateLock {
  const lockPath = join(stateDir, "lock");
  const db = openLock(lockPath);
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    throw isBusy(error) ? heldByAnother(stateDir, error) : sqliteFailure("Cannot lock", lockPath, error);
  }
  const holderPath = join(stateDir, "server.json");
  try {
    writeHolder(holderPath);
  } catch (error) {
    db.close();
    throw sqliteFailure("Cannot write", holderPath, error);
  }
  let released = false;
  const release = () => {
    if (released) return;
    released = true;
    // While the lock is still ours: afterwards the file may be the next server's.
    rmSync(holderPath, { force: true });
    db.close();
  };
  return { stateDir, release, [Symbol.dispose]: release };
}

function openLock(path: string): DatabaseSync {
  try {
    closeSync(openSync(path, "a", 0o600));
    return new DatabaseSync(path, { timeout: 0 });
  } catch (error) {
    throw sqliteFailure("Cannot lock", path, error);
  }
}

function writeHolder(path: string): void {
  const holder: StateHolder = {
    pid: process.pid,
    started_at: new Date(performance.timeOrigin).toISOString(),
    start_ticks: startTicks(process.pid),
  };
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, `${JSON.stringify(holder)}\n`, { mode: 0o600, flag: "wx" });
  renameSync(temporary, path);
}

function heldByAnother(stateDir: string, cause: unknown): BoxRunError {
  const holder = waitForHolder(join(stateDir, "server.json"));
  if (holder === undefined) {
    return new BoxRunError(
      "RUNTIME_ERROR",
      `Cannot use the state directory ${stateDir}: another process holds ${join(stateDir, "lock")}, and did not write down who it is. ` +
        "`fuser` on that file tells; stop it, or choose another directory with BOXRUN_STATE_DIR.",
      { cause, details: { state_dir: stateDir } },
    );
  }
  return new BoxRunError(
    "RUNTIME_ERROR",
    `Cannot use the state directory ${stateDir}: the BoxRun server with pid ${holder.pid} (started ${holder.started_at}) has it. ` +
      `Stop that one first (\`kill ${holder.pid}\`), or choose another directory with BOXRUN_STATE_DIR.`,
    { cause, details: { state_dir: stateDir, pid: holder.pid, started_at: holder.started_at } },
  );
}

/** The holder, once what stands in the file is a process that lives; the file of a server that was killed names one that doesn't. */
function waitForHolder(path: string): StateHolder | undefined {
  const deadlineMs = performance.now() + holderDeadlineMs;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const holder = readHolder(path);
    if (holder !== undefined && isAlive(holder)) return holder;
    if (performance.now() > deadlineMs) return undefined;
    // Synchronous, like all of the store's opening: nothing else runs in a process that is about to refuse to start.
    Atomics.wait(pause, 0, 0, holderPollMs);
  }
}

function readHolder(path: string): StateHolder | undefined {
  try {
    return holderSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    // Not there yet, or not ours: the same to a caller who only wants to name the holder.
    return undefined;
  }
}

function isAlive(holder: StateHolder): boolean {
  if (holder.start_ticks !== null) return startTicks(holder.pid) === holder.start_ticks;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Field 22 of /proc/PID/stat; `null` where there is none. The name before it may hold spaces and brackets. */
function startTicks(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}
