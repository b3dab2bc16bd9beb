/** `npm run check:imports`: the import directions of .dependency-cruiser.cjs, over every TypeScript file. */
import { fileURLToPath } from "node:url";
import { format } from "dependency-cruiser";
import { commandLine } from "../../packages/host/src/command-line.ts";
import { cruiseImports } from "./import-graph.ts";
import { sourceFolders, unseenSources } from "./sources.ts";

commandLine(import.meta.url);

const root = fileURLToPath(new URL("../../", import.meta.url));
const result = await cruiseImports(root, root, sourceFolders);
const report = await format(result, { outputType: "err-long" });
console.log(String(report.output).trim());

const unseen = unseenSources(
  root,
  result.modules.map((module) => module.source),
);
if (unseen) {
  console.error(
    `dependency-cruiser: ${unseen}\nIts parser is the TypeScript 6 API: \`npx depcruise --info\` must list it with a version.`,
  );
}
process.exitCode = report.exitCode === 0 && !unseen ? 0 : 1;
