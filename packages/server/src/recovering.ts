import { BoxRunError, type ErrorCode, type OperationId } from "@boxrun/contract";
import { unlessAborted } from "@boxrun/core";
import type { FastifyReply } from "fastify";
import { type Context, callerSignal } from "./routes/context.ts";

/** How long a request waits for a server that takes its boxes over. */
const usualWaitMs = 30_000;

/** What is true already: it reads what is stored, and nothing that is under way in a box. */
const answeredAtOnce: ReadonlySet<OperationId> = new Set<OperationId>([
  "getHealth",
  "getInfo",
  "getMetrics",
  "getOpenApi",
  "listBoxes",
  "getBox",
  "listImages",
  "getImage",
  "streamEvents",
  "listHistory",
  "getSignIn",
  "signIn",
  "signOut",
  "createSignInLink",
  // Its tools wait themselves.
  "callMcp",
  "streamMcp",
  "endMcp",
]);

/** Where an operation is done: what waits for one box does not wait for others. */
interface Place {
  readonly id: OperationId;
  /** The id or name that the path has. */
  readonly box: string | undefined;
}

/** SERVER_RECOVERING if what the operation needs was not taken over in time; nothing was done of it then. */
export async function untilRecovered({ id, box }: Place, context: Context, reply: FastifyReply): Promise<void> {
  const { core, lifetime, recoveryWaitMs = usualWaitMs } = context;
  if (!core.isRecovering || answeredAtOnce.has(id)) return;
  const enough = new AbortController();
  const giveUp = (code: ErrorCode, message: string) => enough.abort(new BoxRunError(code, message));
  const leave = () => giveUp("CANCELED", "The server is shutting down");
  const late = `The server still takes over its boxes after the ${recoveryWaitMs / 1000} s that a request waits`;
  const timer = setTimeout(giveUp, recoveryWaitMs, "SERVER_RECOVERING", late);
  lifetime.ending.addEventListener("abort", leave, { once: true });
  if (lifetime.ending.aborted) leave();
  try {
    await unlessAborted(
      box === undefined ? core.recovered : core.boxRecovered(box),
      AbortSignal.any([enough.signal, callerSignal(reply, lifetime)]),
    );
  } finally {
    clearTimeout(timer);
    lifetime.ending.removeEventListener("abort", leave);
  }
}
