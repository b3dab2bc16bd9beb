/** `npm run check:types`: tsc over every TypeScript file of the checkout. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { commandLine } from "../../packages/host/src/command-line.ts";
import { unseenSources } from "./sources.ts";

commandLine(import.meta.url);

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs the checkout's tsc (npm run puts node_modules/.bin on PATH). */
function tsc(args: string[], stdout: "inherit" | "pipe") {
  const result = spawnSync("tsc", args, { cwd: root, stdio: ["ignore", stdout, "inherit"], encoding: "utf8" });
  if (result.error) throw new Error(`could not run tsc: ${result.error.message}; run it as \`npm run check:types\``);
  return result;
}

/** The page alone has a browser around it: its types come from a configuration of its own. */
const projects = [".", "packages/dashboard"];

const statuses = projects.map((project) => tsc(["-p", project], "inherit").status);
const isRight = statuses.every((status) => status === 0);
const listed = new Set(
  projects
    .flatMap((project) => tsc(["-p", project, "--listFilesOnly"], "pipe").stdout.split("\n"))
    .filter((file) => file.startsWith(root))
    .map((file) => file.slice(root.length))
    .filter((file) => !file.startsWith("node_modules/")),
);
const unseen = unseenSources(root, listed);
if (unseen) console.error(`tsc: ${unseen}\nAdd them to "include" in tsconfig.json.`);
else if (isRight) console.log(`tsc: ${listed.size} files, no type errors`);
process.exitCode = isRight && !unseen ? 0 : 1;
