/** `node tools/cli-reference.ts`: writes docs/cli.md anew, the help of every verb, from the commands themselves. */
import { writeFileSync } from "node:fs";
import { commandLine } from "../packages/host/src/command-line.ts";
import { cliReference } from "./docs/cli-reference.ts";

commandLine(import.meta.url);

const url = new URL("../docs/cli.md", import.meta.url);
writeFileSync(url, await cliReference());
console.log(`wrote ${url.pathname}`);
