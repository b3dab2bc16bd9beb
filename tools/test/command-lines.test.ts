import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (file: string) => readFileSync(`${root}${file}`, "utf8");

const scripts = ["tools/quickstart.sh", "tools/setup.sh", "tools/test.sh"];
const commands = globSync(["tools/**/*.ts", "bench/src/*.ts", "test/e2e/storm/*.ts", "packages/*/src/**/main.ts"], {
  cwd: root,
}).filter((file) => /\b(commandLine|helpOf)\(import\.meta\.url/.test(read(file)));
/** Hands what it does not know on to vitest. */
const passing = ["tools/test-run/main.ts", "tools/test.sh"];
const strict = [...commands, ...scripts].filter((file) => !passing.includes(file));

/** Its exit code, and what it said. */
async function call(file: string, ...args: string[]) {
  const program = file.endsWith(".sh") ? "bash" : process.execPath;
  const child = spawn(program, [file, ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, stdout, stderr };
}

const isStack = /^\s+at |node:internal/m;

it("every program of the checkout that a script, a page or another program names can be asked what it takes", () => {
  const naming = ["package.json", "CONTRIBUTING.md", ...scripts, ...globSync("docs/**/*.md", { cwd: root })];
  const named = naming.flatMap((file) =>
    [...read(file).matchAll(/(?:\bnode |^build "[^"]*" )((?:tools|packages|bench|test)\/[\w./-]+\.ts)/gm)].map(
      ([, it]) => it,
    ),
  );
  expect(named).toContain("tools/openapi.ts");
  expect(named).toContain("packages/images/src/base/main.ts");
  expect([...new Set(named)].filter((file) => !commands.includes(file ?? ""))).toEqual([]);
});

it.each([...commands, ...scripts])("%s says with --help what it is for, and does nothing", async (file) => {
  const { code, stdout, stderr } = await call(file, "--help");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [, beginning = ""] = /^(?:#!.*\n# |\/\*\*\s+(?:\* )?)(.*?)(?: \*\/)?$/m.exec(read(file)) ?? [];
  expect(beginning).not.toBe("");
  expect(stdout.startsWith(beginning)).toBe(true);
  expect(stdout).not.toMatch(/\/\*\*|\*\//);
});

it.each(strict)("%s refuses an option that it does not know, and says what it takes", async (file) => {
  const [help, { code, stdout, stderr }] = await Promise.all([call(file, "--help"), call(file, "--no-such-option")]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("--no-such-option'");
  expect(stderr.endsWith(help.stdout)).toBe(true);
  expect(stderr).not.toMatch(isStack);
});

it.each([
  ["tools/release/version.ts", [], "VERSION is missing"],
  ["tools/release/version.ts", ["1"], '"1" is no version'],
  ["tools/release/version.ts", ["1.0.0", "2.0.0"], 'one argument too many: "2.0.0"'],
  ["tools/release/main.ts", ["docs"], "docs is there"],
  ["packages/images/src/debian/main.ts", [], "OUT.tar is missing"],
  ["packages/images/src/debian/main.ts", ["--suite"], "'--suite <value>' argument missing"],
  ["bench/src/main.ts", ["nothing"], "no benchmark nothing"],
  ["test/e2e/storm/main.ts", ["--minutes", "many"], "--minutes is a whole number"],
  ["tools/boxlite/main.ts", [], "Name a command"],
  ["tools/boxlite/main.ts", ["--cpus", "x", "ls"], "whole numbers"],
] as const)("%s %j is refused: %s", async (file, args, why) => {
  const { code, stdout, stderr } = await call(file, ...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(why);
  expect(stderr).not.toMatch(isStack);
});
