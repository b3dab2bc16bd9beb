import { revision } from "@boxrun/contract/plain";
import { watchRevision } from "./client.ts";
import { setConnection } from "./connection.ts";

const triedKey = "boxrun-reloaded-for";

/** The page of a server that was upgraded is fetched anew: once for each pair of versions, so that one which stays old says so and no more. */
export function reloadWhenOutdated(): void {
  watchRevision((serverRevision) => {
    setConnection({ state: "outdated" });
    const pair = `${revision} ${serverRevision}`;
    if (sessionStorage.getItem(triedKey) === pair) return;
    sessionStorage.setItem(triedKey, pair);
    location.reload();
  });
}
