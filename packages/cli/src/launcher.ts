import { fileURLToPath } from "node:url";

/** The program that people run; bundled, this file is one level below it, too. */
export const launcher = fileURLToPath(new URL("../bin/boxrun.js", import.meta.url));
