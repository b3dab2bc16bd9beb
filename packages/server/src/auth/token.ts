import { createHash, timingSafeEqual } from "node:crypto";

/** Whether the header is `Bearer TOKEN`, found out in a time that tells nothing about the token. */
export function bearerMatches(header: string | undefined, token: string): boolean {
  const given = header?.match(/^Bearer +(\S+)$/i)?.[1];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

/** Of equal length, whatever was given. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
