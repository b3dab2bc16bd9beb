import { z } from "zod";
import { absolutePathSchema, createBoxRequestSchema, positiveInteger, timestampSchema } from "./box.ts";
import { boxIdSchema, execIdSchema } from "./ids.ts";
import { execStatuses, signalNames } from "./names.ts";
import { secretEnvSchema } from "./secret-env.ts";

const noNul = z.string().regex(/^[^\0]*$/, "must not contain NUL");

/** The longest timer that JavaScript can count: 24.8 days. */
const maxTimeoutMs = 2_147_483_647;

const execFields = {
  /** Default: the image's own command, its Entrypoint and Cmd. With one, neither is used. */
  cmd: z.array(noNul).min(1, "must not be empty").nullish(),
  timeout_ms: positiveInteger.max(maxTimeoutMs).nullish(),
};

export const terminalSizeSchema = z.strictObject({
  cols: positiveInteger.max(65_535),
  rows: positiveInteger.max(65_535),
});
export type TerminalSize = z.infer<typeof terminalSizeSchema>;

/** `POST /v1/boxes/{id}/exec`. */
export const execRequestSchema = z.strictObject({
  ...execFields,
  env: createBoxRequestSchema.shape.env,
  /** Which variables of `env` are shown as `***` from here on, to everybody. */
  secret_env: secretEnvSchema.nullish(),
  workdir: absolutePathSchema.nullish(),
  /** `name`, `uid`, `name:group` or `uid:gid`, looked up in the box. Default: the image's user. */
  user: noNul.min(1).max(256).nullish(),
  /** Run in a pseudo-terminal of this size (`true`: 80 × 24); all output is then stdout. */
  tty: z.union([z.boolean(), terminalSizeSchema]).nullish(),
  /** Keep standard input open for `POST …/stdin`. Default: it is empty. */
  stdin: z.boolean().nullish(),
});
export type ExecInput = z.input<typeof execRequestSchema>;
export type ExecRequest = z.output<typeof execRequestSchema>;

export const execStatusSchema = z.enum(execStatuses);
export type ExecStatus = z.infer<typeof execStatusSchema>;

export const execSchema = z.object({
  id: execIdSchema,
  box_id: boxIdSchema,
  status: execStatusSchema,
  cmd: z.array(z.string()),
  env: z.record(z.string(), z.string()).nullable(),
  /** Names in `env` whose values are shown as `***`; missing if there are none. */
  secret_env: secretEnvSchema.optional(),
  workdir: z.string().nullable(),
  timeout_ms: z.int().nullable(),
  exit_code: z.int().nullable(),
  error_message: z.string().nullable(),
  created_at: timestampSchema,
  finished_at: timestampSchema.nullable(),
  user: z.string().nullable(),
  tty: z.boolean(),
});
export type Exec = z.infer<typeof execSchema>;

export const stdinQuerySchema = z.strictObject({
  /** Ends standard input behind the body. */
  eof: z.stringbool().default(false),
  /**
   * Where the body begins in all of the exec's input, in bytes: what was taken before is skipped, so that the same request can be sent again
   * after a failure. Default: behind what there is.
   */
  offset: z.coerce.number().int().nonnegative().optional(),
});

export const signalRequestSchema = z.strictObject({ signal: z.enum(signalNames) });

/** `POST /v1/run`: a create and its one command. */
export const runRequestSchema = createBoxRequestSchema.extend(execFields);
export type RunInput = z.input<typeof runRequestSchema>;
export type RunRequest = z.output<typeof runRequestSchema>;

export const runResponseSchema = z.object({
  exit_code: z.int().nullable(),
  stdout: z.string(),
  stderr: z.string(),
  error_message: z.string().nullable(),
  /** Output is missing: it passed the server's limit. Standard error says where, and `skipped_bytes` how much. */
  truncated: z.literal(true).optional(),
  skipped_bytes: z.int().optional(),
});
export type RunResponse = z.infer<typeof runResponseSchema>;
