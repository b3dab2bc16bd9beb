import { createStore, useStore } from "../util/store.ts";

/** How the page stands with the server. */
export type Connection =
  | { readonly state: "connecting" }
  /** Every change is told. */
  | { readonly state: "live" }
  | { readonly state: "lost"; readonly why: string; readonly retryAtMs: number }
  | { readonly state: "signed-out"; readonly why: string }
  /** The server speaks another version of the contract than this page. */
  | { readonly state: "outdated" };

const connection = createStore<Connection>({ state: "connecting" });

/** `outdated` stays: what else is said of a server of another version does not count. */
export function setConnection(next: Connection): void {
  if (connection.get().state === "outdated") return;
  connection.set(next);
}

export function useConnection(): Connection {
  return useStore(connection);
}
