import { revision } from "@boxrun/contract/plain";
import { watchRevision } from "./client.ts";
import { setConnection } from "./connection.ts";

const triedKey = "boxrun-reloaded-for";

/** The page of a server that was upgraded is fetched anew: once for each pair of versions, so that one which stays old says so and no more. */
export function reloadWhenOutdated(): void {
  watchRevision((serverRevision) => reloadOnce(`${revision} ${serverRevision}`));
  // A part of this page that is loaded when it is needed is no longer there: the server has a newer one.
  window.addEventListener("vite:preloadError", () => reloadOnce(`parts of ${import.meta.url}`));
}

function reloadOnce(why: string): void {
  setConnection({ state: "outdated" });
  if (sessionStorage.getItem(triedKey) === why) return;
  sessionStorage.setItem(triedKey, why);
  location.reload();
}
