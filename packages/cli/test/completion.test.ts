import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { forBash, forPowerShell, unquote } from "../src/completion/quoting.ts";
import { createProgram } from "../src/program.ts";
import type { Verb } from "../src/verb.ts";
import { boxrun, cliPath } from "./support/cli.ts";
import { CliWithServer } from "./support/server.ts";

/** The verb and all below it, their files loaded. */
async function allVerbs(verb: Verb): Promise<Verb[]> {
  await verb.load();
  const below = await Promise.all(verb.verbs.map(allVerbs));
  return [verb, ...below.flat()];
}

describe("every verb", () => {
  it("says what completes each of its arguments and values", async () => {
    const unknown: string[] = [];
    for (const verb of await allVerbs(createProgram(false))) {
      const places = [
        ...verb.registeredArguments.map((argument) => ({ place: argument, text: `<${argument.name()}>` })),
        ...verb.options
          .filter((option) => option.required || option.optional)
          .map((option) => ({ place: option, text: option.flags })),
      ];
      for (const { place, text } of places) {
        if (verb.completerOf(place) === undefined) unknown.push(`${verb.name()} ${text}`);
      }
    }
    // Say it with `.completes(…)` behind the argument, or add the name to completion/completer.ts.
    expect(unknown).toEqual([]);
  });
});

describe("where the help says that it belongs", () => {
  const help = async () => (await boxrun(["completion", "--help"])).stdout;
  const wrapped = /\n {14,}(?!\$)/g;

  it.each(["bash", "zsh", "fish"])("%s finds it, also in a home that has nothing yet", async (shell) => {
    const line = (await help()).replace(wrapped, " ").match(new RegExp(`\\$ (.*boxrun completion ${shell} > .*)`))?.[1];
    const home = await mkdtemp(join(tmpdir(), "br-completion-"));
    const script = `boxrun() { "$NODE" "$CLI" "$@"; }\n${line}`;
    await promisify(execFile)("bash", ["-c", script], {
      env: { ...process.env, HOME: home, NODE: process.execPath, CLI: cliPath },
    });
    const files = await readdir(home, { recursive: true, withFileTypes: true });
    await rm(home, { recursive: true });
    expect(files.filter((file) => file.isFile() && file.name.includes("boxrun"))).toHaveLength(1);
  });
});

describe("what Tab offers", () => {
  let cli: CliWithServer;
  let devId: string;
  beforeAll(async () => {
    cli = await CliWithServer.start();
    devId = await cli.createBox("dev");
    await cli.createBox("idle");
    await cli.run("stop", "idle");
    await cli.putFile("dev", "/data/notes", "1");
    await cli.putFile("dev", "/data/.hidden", "1");
    await cli.putFile("dev", "/data/broken\nline", "1");
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  /** The words alone. */
  async function offered(...words: string[]): Promise<string[]> {
    const { code, stdout, stderr } = await cli.run("__complete", "zsh", ...words);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => (line.startsWith("\t") ? line.slice(1).toUpperCase() : (line.split("\t")[0] ?? "")));
  }

  it.each([
    [["sto"], ["stop"]],
    [["help", "sto"], ["stop"]],
    [["images", "pu"], ["pull"]],
    [["nonsense", ""], []],
    [["images", "nonsense", ""], []],
    [["create", "--netw"], ["--network"]],
    [["--cont"], ["--context"]],
    [["create", "--context", ""], ["local"]],
    [["create", "--cpu", ""], []],
    [["create", "-nx", "bas"], ["base"]],
    [["create", "pyth"], ["python"]],
    [["images", "rm", ""], ["base"]],
    [["images", "show", ""], ["base"]],
    [["ls", "-s", "r"], ["running"]],
    [["stop", ""], ["dev"]],
    [["start", ""], ["idle"]],
    [["rm", "dev", ""], ["idle"]],
    [["inspect", "--", "de"], ["dev"]],
    [["exec", "dev", "/da"], ["/data/"]],
    [["exec", "dev", "--", "cat", "/data/"], ["/data/notes"]],
    [["exec", "dev", "ls", "--js"], []],
    [["run", "base", "/"], []],
    [["cp", "dev:/data/."], ["dev:/data/.hidden"]],
    [["cp", "dev:/da/nothing/"], []],
    [["cp", "idle:/"], []],
    [["cp", "./"], ["FILES"]],
    [
      ["cp", "a", "de"],
      ["dev:", "FILES"],
    ],
    [["create", "-v", ""], ["DIRECTORIES"]],
    [["images", "import", ""], ["FILES"]],
    [["completion", "f"], ["fish"]],
  ])("behind %j", async (words, expected) => {
    expect(await offered(...words)).toEqual(expected);
  });

  it("is ids once one is begun", async () => {
    expect(await offered("inspect", devId.slice(0, 8))).toEqual([devId]);
  });

  it("says what each is", async () => {
    const { stdout } = await cli.run("__complete", "fish", "stop", "d");
    expect(stdout).toMatch(/^dev\trunning, base, \d+s ago\n$/);
  });

  it("is an exec of the box that stands before, one that runs where it is to be ended", async () => {
    const [done, running] = await Promise.all(
      [["true"], ["sleep", "60"]].map(async (program) => {
        const { stdout } = await cli.run("exec", "-d", "dev", "--", ...program);
        return stdout.trim();
      }),
    );
    await cli.run("wait", "dev", done ?? "");
    expect((await offered("wait", "dev", "")).toSorted()).toEqual([done, running].toSorted());
    expect(await offered("kill", "dev", "")).toEqual([running]);
    expect(await offered("wait", "dev", done ?? "", "")).toEqual([running]);
    expect(await offered("kill", "dev", "-s", "HU")).toEqual(["HUP"]);
  });

  it("comes from the server that the line names", async () => {
    await using other = await CliWithServer.start();
    await other.createBox("elsewhere");
    const host = `unix://${other.server.stateDir}/boxrun.sock`;
    expect(await offered("--host", host, "stop", "")).toEqual(["elsewhere"]);
    expect(await offered("stop", "--host", host, "")).toEqual(["elsewhere"]);
  });

  it("is nothing, silently, where no server runs, and none is started", async () => {
    const env = { BOXRUN_STATE_DIR: "/dev/null/nowhere" };
    expect(await boxrun(["__complete", "bash", "stop", ""], { env })).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });
});

describe("a half-typed word", () => {
  it.each([
    ["plain", { text: "plain", openQuote: undefined, beforeQuote: "" }],
    ["two\\ words", { text: "two words", openQuote: undefined, beforeQuote: "" }],
    ["'two wo", { text: "two wo", openQuote: "'", beforeQuote: "" }],
    ['dev:"two \\"wo', { text: 'dev:two "wo', openQuote: '"', beforeQuote: "dev:" }],
    ["'a'b", { text: "ab", openQuote: undefined, beforeQuote: "" }],
  ])("%s", (raw, expected) => {
    expect(unquote(raw)).toEqual(expected);
  });
});

describe("what is inserted in bash", () => {
  it.each([
    ["dev:/etc/", "dev:/et", "/etc/"],
    ["dev:/a b", "dev:/a", "/a\\ b"],
    ["dev:/a:b", "dev:/a:", "b"],
    ["dev:/a:b", "dev:/a\\:", "/a:b"],
    ["--status=running", "--status=ru", "running"],
    ["dev:/a b", "'dev:/a", "dev:/a b"],
    ["dev:/it's", "'dev:/it", "dev:/it'\\''s"],
    ["dev:/a $b", 'dev:"/a', "/a \\$b"],
    ["x;touch $(y)`z`", "x", "x\\;touch\\ \\$\\(y\\)\\`z\\`"],
    ["café", "caf", "café"],
  ])("%s for %s", (candidate, raw, expected) => {
    expect(forBash(candidate, raw, " \t\n\"'><=;|&(:")).toBe(expected);
  });
});

describe("what is inserted in PowerShell", () => {
  it.each([
    ["dev:/etc/", "dev:/etc/"],
    ["two words", "'two words'"],
    ["it's; rm", "'it''s; rm'"],
    ["$(x)", "'$(x)'"],
  ])("%s", (candidate, expected) => {
    expect(forPowerShell(candidate)).toBe(expected);
  });
});

describe("completion", () => {
  it.each([["bash"], ["zsh"], ["fish"], ["powershell"]])("prints a script for %s that calls boxrun", async (shell) => {
    const { code, stdout } = await boxrun(["completion", shell]);
    expect(code).toBe(0);
    expect(stdout).toContain(`boxrun __complete ${shell} `);
  });

  it("knows no other shell", async () => {
    const { code, stderr } = await boxrun(["completion", "tcsh"]);
    expect(code).toBe(2);
    expect(stderr).toContain("Allowed choices are bash, zsh, fish, powershell");
  });
});
