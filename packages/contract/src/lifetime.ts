import { z } from "zod";

/** A year: what is longer is meant to stay. */
const ttlSchema = z.int().positive().max(31_536_000);

export const onExpirySchema = z.enum(["stop", "remove"]);
export type OnExpiry = z.infer<typeof onExpirySchema>;

/** Fields of `POST /v1/boxes`. */
export const lifetimeFields = {
  /** Seconds from now to the box's end; never if missing. It counts on while no server runs. */
  ttl_seconds: ttlSchema.nullish(),
  /** What happens then, `stop` if missing; `remove` is also the end of a box that was stopped before. */
  on_expiry: onExpirySchema.nullish(),
};

/** `POST /v1/boxes/{id}:extend`. */
export const extendRequestSchema = z.strictObject({
  /** Seconds from now; `null`: never. */
  ttl_seconds: ttlSchema.nullable(),
  /** As it was if missing. */
  on_expiry: onExpirySchema.optional(),
});
export type ExtendInput = z.input<typeof extendRequestSchema>;
export type ExtendRequest = z.output<typeof extendRequestSchema>;
