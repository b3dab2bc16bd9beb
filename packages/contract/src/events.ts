import { z } from "zod";
import { type boxSchema, timestampSchema } from "./box.ts";
import type { execSchema } from "./exec.ts";

/**
 * Server-sent events of one exec.
 *
 * | event  | data                                                                | how many |
 * |--------|---------------------------------------------------------------------|----------|
 * | `log`  | `{"stream":"stdout"\|"stderr","data":"…","seq":n}`                  | any      |
 * | `exit` | `{"stream":null,"data":"{\"exit_code\":0}","seq":n}`                | 1, last  |
 * | `end`  | `{"seq":n}`: up to here now; the exec runs on                       | 1, last  |
 * | `exec` | the Exec, just started; only in the answer of the request that did  | 1, first |
 *
 * `end` comes instead of `exit`, and only to those who asked with `follow=false` for no more than there is. `id:` of each is its `seq`; `exec` has none. Bytes that are not UTF-8 come as base64 with `"encoding":"base64"`. `"time"` is when
 * the output came out of the box; an older server's events lack it.
 *
 * Where output is missing, because it passed the server's limit or was kept for long enough, one `log` event stands for it: with
 * `"truncated":true`, and `"skipped_bytes"` of both streams together (at most so many, for who resumes from a place within). Its `seq` is that of
 * the last event that is missing, its `data` says so to people. An older server's has no `skipped_bytes`: everything behind it is missing.
 */
export const logEventSchema = z.object({
  stream: z.enum(["stdout", "stderr"]),
  data: z.string(),
  seq: z.int(),
  encoding: z.literal("base64").optional(),
  truncated: z.literal(true).optional(),
  skipped_bytes: z.int().optional(),
  time: timestampSchema.optional(),
});
export type LogEvent = z.infer<typeof logEventSchema>;

/** What people read where output is missing. */
export function gapText(bytes: number): string {
  return `\n[boxrun: ${bytes} bytes of the output of this command are not kept, and missing here]\n`;
}

export const exitEventSchema = z.object({ stream: z.null(), data: z.string(), seq: z.int() });
export type ExitEvent = z.infer<typeof exitEventSchema>;

/** The JSON text inside an exit event's `data`. */
export const exitDataSchema = z.object({
  exit_code: z.int().nullable(),
  status: z.string().optional(),
  error: z.string().optional(),
});
export type ExitData = z.infer<typeof exitDataSchema>;

/** `seq` of the last event before it; 0 if there is none. */
export const endEventSchema = z.object({ seq: z.int() });
export type EndEvent = z.infer<typeof endEventSchema>;

export const eventsQuerySchema = z.strictObject({
  after: z.coerce.number().int().nonnegative().optional(),
  follow: z.stringbool().default(true),
});

export const eventsHeadersSchema = z.object({
  /** The `id` of the last event that was seen: only what comes behind it is sent. It wins over `after`. */
  "last-event-id": z.string().optional(),
});

/**
 * `GET /v1/events`: every change of state of a box or exec.
 *
 * | event         | data                                          |
 * |---------------|-----------------------------------------------|
 * | `box`         | the Box, as it is now                         |
 * | `box_removed` | `{"id"}`                                      |
 * | `exec`        | the Exec, as it is now                        |
 */
export const boxRemovedSchema = z.object({ id: z.string() });
export type ServerEvent =
  | { readonly event: "box"; readonly data: z.infer<typeof boxSchema> }
  | { readonly event: "box_removed"; readonly data: z.infer<typeof boxRemovedSchema> }
  | { readonly event: "exec"; readonly data: z.infer<typeof execSchema> };
