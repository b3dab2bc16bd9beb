import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { boxrun, CliProcess, cliPath } from "./support/cli.ts";
import { allVerbs } from "./support/verbs.ts";

const verbs = await allVerbs();

/** Where no server is, nor may one be started. */
const nowhere = { env: { BOXRUN_STATE_DIR: "/dev/null/nowhere" } };

describe("help", () => {
  it("names every verb", async () => {
    const { code, stdout } = await boxrun(["--help"], nowhere);
    expect(code).toBe(0);
    const ownVerbs = verbs.filter((words) => words.length === 1 && words[0] !== "pull");
    expect(ownVerbs.length).toBeGreaterThan(20);
    for (const [verb] of ownVerbs) expect(stdout).toMatch(new RegExp(`^  ${verb} +\\w`, "m"));
  });

  it.each(verbs.map((words) => words.join(" ")))("of %s has its options", async (words) => {
    const { code, stdout, stderr } = await boxrun([...words.split(" "), "--help"], nowhere);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^Usage: boxrun ${words} `));
    expect(stdout).toContain("--json");
  });

  it("of a verb is also `help VERB`", async () => {
    const [one, other] = await Promise.all([
      boxrun(["help", "create"], nowhere),
      boxrun(["create", "--help"], nowhere),
    ]);
    expect(one).toEqual(other);
  });
});

describe("wrong arguments exit with 2", () => {
  it.each([
    [[], /^Usage:/],
    [["lss"], /^Error: unknown command 'lss'\n\(Did you mean ls\?\)/],
    [["delete", "dev"], /^Error: there is no command 'delete': `boxrun rm BOX` removes a box\nHint: /],
    [["version"], /^Error: there is no command 'version': `boxrun --version`/],
    [["rename", "a", "b"], /^Error: there is no command 'rename': that is not supported yet\n/],
    [["frobnicate"], /^Error: unknown command 'frobnicate'\nHint: /],
    [["rm"], /^Error: missing required argument 'box'/],
    [["create", "base", "-m", "half"], /^Error: .*'half'.*MB.*512m, 2g/],
    [["create", "base", "--disk", "512m"], /^Error: .*'512m'.*GB.*20g/],
    [["images", "pul"], /Did you mean pull\?/],
    [["context", "ad"], /^Error: unknown command 'ad'\n\(Did you mean add\?\)\nHint: /],
    [["lss", "--help"], /^Error: unknown command 'lss'\n\(Did you mean ls\?\)/],
    [["help", "server", "statu"], /Did you mean status\?/],
    [["ls", "--watsh"], /^Error: unknown option '--watsh'\n\(Did you mean --watch\?\)\nHint: /],
    [["context", "add", "lab", "--hots", "http://lab"], /Did you mean --host\?/],
    [["--jsn", "ls"], /Did you mean --json\?/],
    [["create"], /^Error: missing required argument 'image'/],
    [["create", "base", "--cpu", "zero"], /^Error: .*'--cpu <count>'.*'zero'.*whole number/],
    [["create", "base", "--colour"], /^Error: unknown option '--colour'/],
    [["exec", "dev"], /^Error: missing required argument 'program'/],
    [["exec", "--timeout", "soon", "dev", "ls"], /^Error: .*in seconds, or with a unit/],
    [["ls", "-s", "asleep"], /^Error: .*Allowed choices are creating, running, stopped, error, all/],
    [["--host", "nonsense", "ls"], /^Error: --host is "nonsense"/],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await boxrun(args, nowhere);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });

  it("and are JSON with --json", async () => {
    const { code, stderr } = await boxrun(["create", "--json"], nowhere);
    expect(code).toBe(2);
    const hint = "add --help to see what there is.";
    expect(JSON.parse(stderr)).toEqual({ code: "USAGE", message: "missing required argument 'image'", hint });
    for (const line of [["--json"], ["server", "--json"]]) {
      const lone = await boxrun(line, nowhere);
      expect(lone).toMatchObject({ code: 2, stdout: "" });
      expect(JSON.parse(lone.stderr)).toEqual({ code: "USAGE", message: "There is no command", hint });
    }
  });
});

describe("--version", () => {
  it("is the package's", async () => {
    expect(await boxrun(["--version"])).toMatchObject({ code: 0, stdout: `${packageJson.version}\n`, stderr: "" });
  });
});

describe("what is shown before there is a server", () => {
  it.each([["--version"], ["--help"], ["exec --help"]])(
    "of %s is of no interest where nobody reads it",
    async (line) => {
      const asked = new CliProcess(line.split(" "), nowhere);
      asked.child.stdout?.destroy();
      expect(await asked.result()).toMatchObject({ code: 141, stderr: "" });
    },
  );

  it.each([["--version"], ["--help"]])("of %s fails where it can't be written", async (line) => {
    const script = `"${process.execPath}" "${cliPath}" ${line} > /dev/full`;
    const failed = await promisify(execFile)("sh", ["-c", script]).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 125, stderr: expect.stringMatching(/^Error: ENOSPC: .*\n$/) });
  });
});

describe("a server that is somebody else's", () => {
  it("is never started", async () => {
    const { code, stderr } = await boxrun(["ls"], { env: { BOXRUN_HOST: "unix:///nonexistent/b.sock" } });
    expect(code).toBe(125);
    expect(stderr).toMatch(/^Error: ls: Cannot reach the BoxRun server at unix:\/\/\/nonexistent\/b\.sock: .*\nHint: /);
  });
});
