import { z } from "zod";
import { callerKinds } from "./sign-in.ts";

/** What can be done to a box, or with it. */
export const historyActions = [
  "create",
  "start",
  "stop",
  "extend",
  "commit",
  "remove",
  "run",
  "exec",
  "cancel",
  "signal",
  "attach",
  "end-session",
  "connect",
  "upload",
  "download",
  "mkdir",
  "rename",
  "delete",
  "adopt",
  "gc",
] as const;
export type HistoryAction = (typeof historyActions)[number];

/** Who does things to boxes: whoever calls, and the server itself, at the end of a box's time. */
export const actorKinds = [...callerKinds, "server"] as const;
export type ActorKind = (typeof actorKinds)[number];

/** One thing that somebody did. */
export const historyEntrySchema = z.object({
  /** Later ones have higher numbers. */
  seq: z.int(),
  /** When it was asked for. */
  at: z.string(),
  /** The box, which may be gone; `null` where it was about none (`gc`), or none came to be. */
  box_id: z.string().nullable(),
  /** What it was called then. */
  box_name: z.string().nullable(),
  action: z.enum(historyActions),
  /** What of the box: a path, an image, a session, a port, a signal; why the server did it; `null` where the action says it all. */
  target: z.string().nullable(),
  /** Of `exec` and `run`: without what tells by its name that it is a secret, and cut where it is long; the program alone where the server keeps no arguments. */
  cmd: z.array(z.string()).nullable(),
  exec_id: z.string().nullable(),
  caller: z.object({
    kind: z.enum(actorKinds),
    /** The user at the other end, where the system told. */
    uid: z.int().nullable(),
  }),
  user_agent: z.string().nullable(),
  /** How it failed; `null` if it was done. */
  error_code: z.string().nullable(),
});
export type HistoryEntry = z.infer<typeof historyEntrySchema>;

export const historyQuerySchema = z.strictObject({
  /** Only of this box: its id, or its name, also that of a box which is gone. */
  box: z.string().min(1).max(200).optional(),
  /** Only what came later than the entry of this `seq`. */
  after: z.coerce.number().pipe(z.int().nonnegative()).optional(),
  limit: z.coerce.number().pipe(z.int().min(1).max(1_000)).default(100),
  /** From the `boxrun-next-cursor` of the page before. */
  cursor: z
    .string()
    .regex(/^\d{1,16}$/, "is not one that a list has given")
    .optional(),
});
export type HistoryQuery = z.output<typeof historyQuerySchema>;
