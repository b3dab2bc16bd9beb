import type { HistoryAction, OperationId } from "@boxrun/contract";

/** A call, as far as it is known when it is about to be done. */
export interface AskedFor {
  readonly path: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** What of a call goes into the history. */
interface Recorded {
  readonly action: HistoryAction;
  readonly target?: (asked: AskedFor) => string | undefined;
  readonly cmd?: true;
}

const inBody =
  (name: string) =>
  ({ body }: AskedFor) =>
    text(body, name);
const inQuery =
  (name: string) =>
  ({ query }: AskedFor) =>
    text(query, name);
const inPath =
  (name: string) =>
  ({ path }: AskedFor) =>
    text(path, name);

/** What somebody does to a box or with it. Looking at things is no part of it, nor are images, nor is what a command is given to read. */
export const recorded: Partial<Readonly<Record<OperationId, Recorded>>> = {
  createBox: { action: "create", target: inBody("image") },
  startBox: { action: "start" },
  stopBox: { action: "stop" },
  extendBox: { action: "extend" },
  commitBox: { action: "commit", target: inBody("reference") },
  removeBox: { action: "remove" },
  run: { action: "run", target: inBody("image"), cmd: true },
  startExec: { action: "exec", cmd: true },
  cancelExec: { action: "cancel" },
  signalExec: { action: "signal", target: inBody("signal") },
  attach: { action: "attach", target: inQuery("session") },
  removeSession: { action: "end-session", target: inPath("name") },
  connectPort: { action: "connect", target: inPath("port") },
  // Its form is read later; the answer says where to.
  uploadFile: { action: "upload" },
  downloadFile: { action: "download", target: inBody("path") },
  makeDirectory: { action: "mkdir", target: inBody("path") },
  renameFile: { action: "rename", target: inBody("from") },
  removeFile: { action: "delete", target: inQuery("path") },
  adoptOrphan: { action: "adopt" },
  removeOrphan: { action: "remove" },
  collectGarbage: { action: "gc" },
};

export function text(from: unknown, name: string): string | undefined {
  if (typeof from !== "object" || from === null || !(name in from)) return undefined;
  const value: unknown = Object.getOwnPropertyDescriptor(from, name)?.value;
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}
