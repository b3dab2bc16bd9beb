import type { FoundServer } from "./address.ts";

/** The page's; the types of a browser are not everyone's who uses the client. */
declare const location: { readonly origin: string };

/** The page's own server; its cookie says who calls. */
export function findServer(): FoundServer {
  return { baseUrl: location.origin };
}
