import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where a built dashboard may be: beside the installed package's bundle, or where the checkout builds it. */
const places = ["./ui", "../../../dashboard/dist"].map((place) => fileURLToPath(new URL(place, import.meta.url)));

/** The directory of the built dashboard; looked for each time, for it may be built while the server runs. `undefined` if it is not. */
export function locateDashboard(): string | undefined {
  return places.find((dir) => existsSync(join(dir, "index.html")));
}
