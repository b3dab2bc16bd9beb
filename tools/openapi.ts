/** `node tools/openapi.ts`: writes packages/contract/openapi.json anew from the contract's table of operations. */
import { writeFileSync } from "node:fs";
import { openApiDocument } from "@boxrun/contract";
import contract from "../packages/contract/package.json" with { type: "json" };

const path = new URL("../packages/contract/openapi.json", import.meta.url);
writeFileSync(path, `${JSON.stringify(openApiDocument(contract.version), null, 2)}\n`);
console.log(`wrote ${path.pathname}`);
