import { revision, revisionHeader } from "@boxrun/contract/plain";
import { BoxRunClient, type Fetch } from "boxrun-sdk";

/** Where the API is: the page is at `<base>/ui/`. */
function apiBase(location: Pick<Location, "origin" | "pathname">): string {
  return location.origin + location.pathname.replace(/\/ui(\/(index\.html)?)?$/, "").replace(/\/$/, "");
}

export const baseUrl = apiBase(window.location);

type RevisionListener = (serverRevision: string) => void;
let onOtherRevision: RevisionListener | undefined;

/** Called with each answer of a server whose contract is not this page's. */
export function watchRevision(listener: RevisionListener): void {
  onOtherRevision = listener;
}

const observedFetch: Fetch = async (url, init) => {
  const response = await globalThis.fetch(url, init);
  const theirs = response.headers.get(revisionHeader);
  if (theirs !== null && theirs !== revision) onOtherRevision?.(theirs);
  return response;
};

/** The server that this page came from. Signing in is by its cookie. */
export const client = new BoxRunClient({ baseUrl, fetch: observedFetch, isOwnPage: true });
