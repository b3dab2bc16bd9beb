import { BoxRunError } from "@boxrun/contract";

/** SQLite's result codes, the primary ones: https://www.sqlite.org/rescode.html */
const primary = {
  BUSY: 5,
  LOCKED: 6,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  NOTADB: 26,
} as const;
const extended = { FOREIGN_KEY: 787, PRIMARY_KEY: 1555, UNIQUE: 2067 } as const;

const advice: Readonly<Record<number, string>> = {
  [primary.BUSY]: "Another process holds it: close that one and try again.",
  [primary.READONLY]: "Make the file and its directory writable for the user that runs BoxRun.",
  [primary.IOERR]: "Check the disk: free space, and errors in the kernel's log.",
  [primary.CORRUPT]:
    "The file is damaged: restore a copy of it, or move it aside to start with an empty one; `boxrun recover` then takes in the boxes.",
  [primary.FULL]: "The disk is full: free some space there; boxes and images take the most.",
  [primary.CANTOPEN]: "Make its directory exist and be writable for the user that runs BoxRun.",
  [primary.NOTADB]:
    "The file is not a database: move it aside to start with an empty one, or name another with BOXRUN_DB.",
};

const adviceForSystemErrors: Readonly<Record<string, string>> = {
  EACCES: "Make the file and its directory writable for the user that runs BoxRun.",
  EPERM: "The file must belong to the user that runs BoxRun.",
  EROFS: "The file system is read-only: choose a state directory on another.",
  ENOENT: "Its directory does not exist: make it, or name another.",
  ENOTDIR: "Its directory does not exist: make it, or name another.",
  EISDIR: "A directory is in its place: remove that, or name another file with BOXRUN_DB.",
  ENOSPC: "The disk is full: free some space there; boxes and images take the most.",
};

/** Any failure of SQLite or the file system as a RUNTIME_ERROR that names operation, file, cause and what to do. */
export function sqliteFailure(operation: string, path: string, error: unknown): BoxRunError {
  const cause = error instanceof Error ? error.message : String(error);
  const whatToDo = adviceFor(error) ?? "`boxrun doctor` checks the host.";
  return new BoxRunError("RUNTIME_ERROR", `${operation} ${path}: ${cause}. ${whatToDo}`, {
    // A caller that can wait tries again.
    details: { path, ...(isBusy(error) ? { busy: true } : {}) },
    cause: error,
  });
}

function adviceFor(error: unknown): string | undefined {
  const code = resultCode(error);
  if (code !== undefined) return advice[code & 0xff];
  if (error instanceof Error && "code" in error && typeof error.code === "string")
    return adviceForSystemErrors[error.code];
  return undefined;
}

/** SQLite's extended result code, of its own error or of a failure made from it. */
function resultCode(error: unknown): number | undefined {
  if (isBoxRunError(error)) return resultCode(error.cause);
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : undefined;
}

export function isUniqueViolation(error: unknown): boolean {
  const code = resultCode(error);
  return code === extended.UNIQUE || code === extended.PRIMARY_KEY;
}

export function isForeignKeyViolation(error: unknown): boolean {
  return resultCode(error) === extended.FOREIGN_KEY;
}

/** Another connection holds the file. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code !== undefined && ((code & 0xff) === primary.BUSY || (code & 0xff) === primary.LOCKED);
}

export function isBoxRunError(error: unknown): error is BoxRunError {
  return error instanceof BoxRunError;
}
