import type { BoxStatus } from "./box.ts";
import type { ErrorCode } from "./errors.ts";
import type { ExecStatus } from "./exec.ts";

/**
 * Which action a box or exec allows in which state, and the error code of a refusal.
 * Server, CLI and dashboard read the same table.
 */
type Verdict = true | ErrorCode;

export const boxActions = {
  start: { creating: "BOX_ALREADY_RUNNING", running: "BOX_ALREADY_RUNNING", stopped: true, error: true },
  stop: { creating: "BOX_NOT_RUNNING", running: true, stopped: "BOX_NOT_RUNNING", error: "BOX_NOT_RUNNING" },
  exec: { creating: "BOX_NOT_RUNNING", running: true, stopped: "BOX_NOT_RUNNING", error: "BOX_NOT_RUNNING" },
  remove: { creating: "BOX_ALREADY_RUNNING", running: "BOX_ALREADY_RUNNING", stopped: true, error: true },
  commit: { creating: "BOX_ALREADY_RUNNING", running: "BOX_ALREADY_RUNNING", stopped: true, error: true },
  forceRemove: { creating: true, running: true, stopped: true, error: true },
} as const satisfies Record<string, Record<BoxStatus, Verdict>>;

export type BoxAction = keyof typeof boxActions;

export const execActions = {
  cancel: {
    running: true,
    succeeded: "EXEC_ALREADY_FINISHED",
    failed: "EXEC_ALREADY_FINISHED",
    timeout: "EXEC_ALREADY_FINISHED",
    canceled: "EXEC_ALREADY_FINISHED",
  },
} as const satisfies Record<string, Record<ExecStatus, Verdict>>;

export function boxAllows(action: BoxAction, status: BoxStatus): Verdict {
  return boxActions[action][status];
}

/** Cancel, stdin, resize and signal all need an exec that still runs. */
export function execAllows(status: ExecStatus): Verdict {
  return execActions.cancel[status];
}
