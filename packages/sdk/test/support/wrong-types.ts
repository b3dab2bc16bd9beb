/**
 * Prints what are-the-types-wrong finds in a package's tarball, as JSON; `false` for one that has no types. A program of its own: vitest has its workers look for what
 * packages offer for development, and are-the-types-wrong offers TypeScript, which Node.js does not strip below node_modules.
 */
import { readFile } from "node:fs/promises";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";

const [, , tarball = ""] = process.argv;
const analysis = await checkPackage(createPackageFromTarballData(await readFile(tarball)));
// It is an ES module: what requires it gets it by import().
const problems = analysis.types && analysis.problems.filter(({ kind }) => kind !== "CJSResolvesToESM");
process.stdout.write(JSON.stringify(problems));
