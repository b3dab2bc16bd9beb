import { z } from "zod";

/** How the server knows whoever calls. */
export const callerKinds = ["socket", "loopback", "token", "browser"] as const;
export type CallerKind = (typeof callerKinds)[number];

export const signInLinkSchema = z.object({
  /** Good for one sign-in, until then. */
  token: z.string(),
  /** Where the dashboard takes it: an address on this server, with the base path if it has one. */
  path: z.string(),
  /** The same with the server's own address before it; `null` where it listens on no port. */
  url: z.string().nullable(),
  expires_at: z.string(),
});
export type SignInLink = z.infer<typeof signInLinkSchema>;

export const signInRequestSchema = z.strictObject({
  /** The `token` of a link; without one, whoever calls must be let in anyway: as the server's user, or with its token. */
  link_token: z.string().max(200).optional(),
});
export type SignInInput = z.input<typeof signInRequestSchema>;

export const signedInSchema = z.object({
  /** `socket`: over the Unix socket; `loopback`: the server's own user, as the kernel says; `token`; `browser`: signed in, by a cookie. */
  kind: z.enum(callerKinds),
  /** The user at the other end, where the system tells. */
  uid: z.int().nullable(),
  /** When a browser has to sign in again. */
  expires_at: z.string().nullable(),
});
export type SignedIn = z.infer<typeof signedInSchema>;
