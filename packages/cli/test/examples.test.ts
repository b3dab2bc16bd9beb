import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { boxrun } from "./support/cli.ts";
import { allVerbs, parseOnly } from "./support/verbs.ts";

const run = promisify(execFile);

/** Where no server is, nor may one be started. */
const nowhere = { env: { BOXRUN_STATE_DIR: "/dev/null/nowhere" } };

const lines = [[], ...(await allVerbs())].map((words) => ["boxrun", ...words].join(" "));

afterEach(() => vi.unstubAllEnvs());

describe("the examples", () => {
  it.each(lines)("in the help of %s are right", async (line) => {
    const words = line.split(" ").slice(1);
    const { stdout } = await boxrun([...words, "--help"], nowhere);
    await expectRight(examplesIn(stdout));
  });

  it.each([
    "README.md",
    "docs/cli-setup.md",
    "docs/copying.md",
    "docs/install.md",
    "docs/scripting.md",
    "docs/terminal.md",
  ])("in %s are right", async (page) => {
    await expectRight(commandsIn(await readFile(new URL(`../../../${page}`, import.meta.url), "utf8")));
  });
});

/** Throws unless there are some, and `boxrun` understands every one of them. */
async function expectRight(examples: readonly string[]): Promise<void> {
  // `-e USER` passes on what is set here.
  vi.stubEnv("USER", "me");
  expect(examples).not.toEqual([]);
  for (const example of examples) {
    const calls = await boxrunCalls(example);
    expect(calls, `${example} runs no boxrun`).not.toEqual([]);
    for (const call of calls) {
      await parseOnly(call).catch((error: unknown) => expect.fail(`${example}: ${String(error)}`));
    }
  }
}

/** The lines of a page's shell blocks that run boxrun. */
function commandsIn(page: string): string[] {
  const blocks = [...page.matchAll(/^```sh(?: [\w ]+)?\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  const commands = blocks.flatMap((block) => block.replaceAll("\\\n", "").split("\n"));
  return commands.filter((line) => /^[^#]*\bboxrun [a-z-]/.test(line));
}

/** What stands behind `$ ` below `Examples:`. */
function examplesIn(help: string): string[] {
  const [, below = ""] = help.split(/^Examples:$/m);
  return below.split("\n").flatMap((line) => /^ +\$ (.*boxrun.*)$/.exec(line)?.[1] ?? []);
}

/** In place of `boxrun`, which writes its arguments down and prints what may be an id. There are no other programs. */
const recorder = `
PATH=/nowhere
boxrun() {
  printf '%s\\0' "$#" "$@" >> "$RECORD"
  echo id_1
}
npx() { "$@"; }
sudo() {
  while [[ $1 == -* ]]; do shift; done
  "$@"
}
`;

/** With which arguments a shell would call `boxrun` for this line. */
async function boxrunCalls(line: string): Promise<string[][]> {
  const dir = await mkdtemp(join(tmpdir(), "boxrun-examples-"));
  try {
    const record = join(dir, "record");
    const env = { HOME: dir, RECORD: record };
    // What it ends with says nothing: the other programs in the line are not there.
    await run("bash", ["-c", `${recorder}${line}`], { cwd: dir, env }).catch(() => undefined);
    return callsIn((await readFile(record, "utf8").catch(() => "")).split("\0"));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function callsIn(words: readonly string[]): string[][] {
  const calls: string[][] = [];
  for (let at = 0; at < words.length - 1; ) {
    const end = at + 1 + Number(words[at]);
    calls.push(words.slice(at + 1, end));
    at = end;
  }
  return calls;
}
