import { fileURLToPath } from "node:url";

export const boxrunPath = fileURLToPath(new URL("../../../cli/bin/boxrun.js", import.meta.url));
