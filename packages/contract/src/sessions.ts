import { z } from "zod";
import { timestampSchema } from "./box.ts";
import { errorBodySchema } from "./error-body.ts";
import { terminalSizeSchema } from "./exec.ts";
import { boxIdSchema } from "./ids.ts";

/** A session's name; each box has its own. */
export const sessionNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
    "must be 1 to 63 letters, digits, '_', '.' or '-', and begin with a letter or digit",
  );

const cells = z.coerce.number().int().positive().max(65_535);

/** `WS /v1/boxes/{id}/attach`. */
export const attachQuerySchema = z
  .strictObject({
    /** Default: /bin/bash, and /bin/sh where there is none. A session that runs already keeps the shell that it has. */
    shell: z
      .string()
      .min(1)
      .max(4096)
      .regex(/^[^\0]*$/, "must not contain NUL")
      .optional(),
    cols: cells.default(80),
    rows: cells.default(24),
    /** What TERM is in the box. */
    term: z
      .string()
      .regex(/^[A-Za-z0-9._+-]{1,64}$/, "must be 1 to 64 letters, digits, '.', '_', '+' or '-'")
      .default("xterm-256color"),
    /** Attaches to the session of this name, which goes on when the client leaves, and starts it if it isn't there. */
    session: sessionNameSchema.optional(),
    /** Joins the clients that are attached already, instead of taking over from them. */
    share: z.stringbool().default(false),
  })
  .refine(({ session, share }) => !share || session !== undefined, {
    path: ["share"],
    message: "needs a session to share",
  });
/** As the server reads it. */
export type AttachRequest = z.output<typeof attachQuerySchema>;
/** As a client writes it: everything with a default may be left out. */
export type AttachInput = { readonly [Name in keyof AttachRequest]?: AttachRequest[Name] | undefined };

/**
 * Frames of an attached terminal. Binary ones are the terminal's bytes, both ways; text ones are JSON:
 *
 * | from   | text frame                                     | how many                       |
 * |--------|------------------------------------------------|--------------------------------|
 * | client | `{"type":"resize","cols":120,"rows":40}`       | any                            |
 * | server | `{"type":"exit","code":0}`                     | one of the two, and then       |
 * | server | `{"type":"error","code":"…","message":"…"}`    | the server closes              |
 */
export const terminalClientMessageSchema = z.strictObject({ type: z.literal("resize"), ...terminalSizeSchema.shape });
export type TerminalClientMessage = z.infer<typeof terminalClientMessageSchema>;

/** `code`: 0 to 255, 128+n for a signal, as of an exec. */
const terminalExitSchema = z.object({ type: z.literal("exit"), code: z.int() });
const terminalErrorSchema = z.object({ type: z.literal("error"), ...errorBodySchema.shape });
export const terminalServerMessageSchema = z.discriminatedUnion("type", [terminalExitSchema, terminalErrorSchema]);
export type TerminalServerMessage = z.infer<typeof terminalServerMessageSchema>;

/** The longest frame that the server takes, in bytes; a longer one is answered with PAYLOAD_TOO_LARGE. Its own are shorter. */
export const maxTerminalFrameBytes = 1024 * 1024;

/** A named shell that runs on whether or not somebody is attached. */
export const sessionSchema = z.object({
  name: z.string(),
  box_id: boxIdSchema,
  /** `null`: the default, /bin/bash or /bin/sh. */
  shell: z.string().nullable(),
  cols: z.int(),
  rows: z.int(),
  /** How many are attached. */
  clients: z.int(),
  /** Whether it goes on when the server stops. */
  survives_server: z.boolean(),
  created_at: timestampSchema,
});
export type Session = z.infer<typeof sessionSchema>;
