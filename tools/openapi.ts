/** `node tools/openapi.ts`: writes packages/contract/openapi.json, the revision and the table in docs/rest.md anew from the contract's table of operations. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { openApiDocument } from "@boxrun/contract";
import contract from "../packages/contract/package.json" with { type: "json" };
import { commandLine } from "../packages/host/src/command-line.ts";
import { withOperations } from "./docs/operations-table.ts";

commandLine(import.meta.url);

const packageUrl = new URL("../packages/contract/", import.meta.url);

function write(path: string, text: string): void {
  const url = new URL(path, packageUrl);
  writeFileSync(url, text);
  console.log(`wrote ${url.pathname}`);
}

const document = openApiDocument(contract.version);
const revision = createHash("sha256").update(JSON.stringify(document)).digest("hex").slice(0, 16);
write("openapi.json", `${JSON.stringify(document, null, 2)}\n`);
write(
  "src/revision.ts",
  `/** Names this contract: a digest of the OpenAPI document, written by tools/openapi.ts. */\nexport const revision = "${revision}";\n`,
);
write("../../docs/rest.md", withOperations(readFileSync(new URL("../../docs/rest.md", packageUrl), "utf8")));
