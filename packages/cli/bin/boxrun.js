#!/bin/sh
":" //; exec node -- "$0" "$@"
// A shell reads the line above, Node takes it for a text and a comment. Without its `--` Node looks for options of its own among the
// user's arguments: `boxrun exec dev tool --env-file x` would be Node's.
//
// Plain JavaScript for any Node from 18 on: BoxRun itself needs Node 24, so this finds one and lets it do the work.
import { existsSync } from "node:fs";
import * as module from "node:module";
import { constants, homedir } from "node:os";
import { join } from "node:path";

const neededMajor = 24;

// What Node could not decode it has replaced.
if (process.argv.some((argument) => argument.includes("\ufffd"))) {
  const { refuseWhatIsNotUtf8 } = await import("./arguments.js");
  refuseWhatIsNotUtf8(process.argv.slice(2));
}

if (Number(process.versions.node.split(".")[0]) >= neededMajor) await runHere();
else await runWith(findNode());

async function runHere() {
  // Not Node's default below /tmp, where another user could put something in its place.
  const cacheDir = process.env.BOXRUN_CACHE_DIR || userCacheDir();
  if (cacheDir !== undefined) module.enableCompileCache(join(cacheDir, "compile"));
  // A checkout runs from its sources; an installed package has them bundled.
  const source = new URL("../src/main.ts", import.meta.url);
  const { main } = await import(existsSync(source) ? source.href : new URL("../dist/main.js", import.meta.url).href);
  await main(process.argv.slice(2));
}

/** `undefined` for a user without a home: no HOME, no entry in passwd. */
function userCacheDir() {
  try {
    return join(homedir(), ".cache", "boxrun");
  } catch {
    return undefined;
  }
}

/** The binary of the npm package `node`, from beside this package up: where the checkout and `npm i -g node` put it. */
function findNode() {
  try {
    const packageJson = module.createRequire(import.meta.url).resolve("node/package.json");
    const node = join(packageJson, "..", "bin", "node");
    if (existsSync(node)) return node;
  } catch {
    // Not installed: the message below.
  }
  process.stderr.write(
    `Error: boxrun needs Node ${neededMajor} or newer; this is ${process.version} (${process.execPath})\n` +
      `Hint: install Node ${neededMajor}, or put one beside boxrun with \`npm install -g node@${neededMajor}\`.\n`,
  );
  process.exit(125);
}

async function runWith(node) {
  const { spawn } = await import("node:child_process");
  const child = spawn(node, ["--", process.argv[1], ...process.argv.slice(2)], { stdio: "inherit" });
  // A terminal sends Ctrl-C to both of us, and two mean "at once": pass on only what was sent to this process alone.
  const hasTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) {
    process.on(signal, () => {
      if (!(hasTerminal && (signal === "SIGINT" || signal === "SIGQUIT"))) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    process.stderr.write(`Error: cannot run ${node}: ${error.message}\n`);
    process.exitCode = 125;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}
