import { z } from "zod";
import { errorBodySchema } from "./error-body.ts";

const portSchema = z.int().min(1).max(65_535);

/** The port in `WS /v1/boxes/{id}/ports/{port}`. */
export const portParameterSchema = z
  .string()
  .regex(/^[1-9]\d{0,4}$/, "must be a port: 1 to 65535")
  .transform(Number)
  .pipe(portSchema);

/**
 * Frames of a connection to a port of the box. Binary ones are its bytes, both ways, cut anywhere; text ones are JSON:
 *
 * | from   | text frame                                   | meaning                                                          |
 * |--------|----------------------------------------------|------------------------------------------------------------------|
 * | both   | `{"type":"end"}`                             | half-close: whoever says it sends no more, and goes on reading   |
 * | server | `{"type":"error","code":"…","message":"…"}`  | the connection was cut; then the server closes                   |
 *
 * When both have said `end`, the server closes (1000). A client that closes without a word resets the connection.
 */
const portEndSchema = z.object({ type: z.literal("end") });
const portErrorSchema = z.object({ type: z.literal("error"), ...errorBodySchema.shape });
export const portClientMessageSchema = z.strictObject(portEndSchema.shape);
export type PortClientMessage = z.infer<typeof portClientMessageSchema>;
export const portServerMessageSchema = z.discriminatedUnion("type", [portEndSchema, portErrorSchema]);
export type PortServerMessage = z.infer<typeof portServerMessageSchema>;

/** A TCP port on which something in a box listens, as the box tells it. */
export const listeningPortSchema = z.object({
  port: portSchema,
  /** `0.0.0.0`, `127.0.0.1`, `::`, … */
  address: z.string(),
  pid: z.int().nullable(),
  process: z.string().nullable(),
  /** Whether a connection to this port ends there: it listens on the box's loopback. */
  reachable: z.boolean(),
});
export type ListeningPort = z.infer<typeof listeningPortSchema>;
