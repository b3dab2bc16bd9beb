import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { boxrun, CliProcess, typed } from "./support/cli.ts";
import { CliWithServer } from "./support/server.ts";

let stateDir: string;
beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "br-out-"));
});
afterAll(() => rm(stateDir, { recursive: true, force: true }));

const stack = /^\s+at .+:\d+/m;

describe("a user without a home", () => {
  /** What os.homedir() does for a uid that passwd does not know, where HOME is not set. */
  const homeless = [
    "--import",
    `data:text/javascript,${encodeURIComponent(
      'import os from "node:os"; import { syncBuiltinESMExports } from "node:module";' +
        'os.homedir = () => { throw new Error("uv_os_homedir returned ENOENT"); }; syncBuiltinESMExports();',
    )}`,
  ];
  const env = { HOME: undefined, BOXRUN_STATE_DIR: undefined, XDG_CONFIG_HOME: undefined, BOXRUN_CACHE_DIR: undefined };

  it.each([[["ls"]], [["context", "ls"]], [["server", "status"]], [["uninstall", "--dry-run"]]])(
    "is told what to set: %j",
    async (args) => {
      const { code, stdout, stderr } = await boxrun(args, { nodeOptions: homeless, env });
      expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
      expect(stderr).toMatch(/^Error: .*no home directory.*\nHint: .*BOXRUN_STATE_DIR.*\n$/);
      const json = await boxrun(["--json", ...args], { nodeOptions: homeless, env });
      expect(JSON.parse(json.stderr)).toMatchObject({ code: "HOST_FILE" });
    },
  );

  it("needs none where it is said where things lie", async () => {
    const options = { nodeOptions: homeless, env: { ...env, BOXRUN_STATE_DIR: stateDir } };
    expect(await boxrun(["--version"], options)).toMatchObject({ code: 0, stderr: "" });
    expect(await boxrun(["server", "status"], options)).toMatchObject({ code: 3, stderr: "" });
    const served = await boxrun(["serve", "--no-tcp"], options);
    expect(served).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/^Error: serve: .*BOXRUN_CACHE_DIR is not set/),
    });
    expect(served.stderr).not.toMatch(stack);
  });
});

describe("an error that nobody catches", () => {
  const broken = (how: string) => [
    "--import",
    `data:text/javascript,${encodeURIComponent(`setTimeout(() => { ${how} }, 20);`)}`,
  ];

  it.each([["throw new Error('our mistake')"], ["Promise.reject(new Error('our mistake'))"]])(
    "ends in one line and 125: %s",
    async (how) => {
      await using cli = await CliWithServer.start();
      await cli.createBox("dev");
      const options = { nodeOptions: broken(how), env: cli.env };
      const told = new CliProcess(["exec", "dev", "sleep", "60"], options);
      expect(await told.result()).toMatchObject({ code: 125, stdout: "", stderr: "Error: our mistake\n" });
      const json = await new CliProcess(["exec", "--json", "dev", "sleep", "60"], options).result();
      expect(json.code).toBe(125);
      expect(JSON.parse(json.stderr)).toEqual({ code: "INTERNAL_ERROR", message: "our mistake" });
    },
  );
});

it("a working directory that is gone ends in one line", async () => {
  const script = 'ls --json > /dev/null; cd "$GONE" && rmdir "$GONE" && exec "$BOXRUN" create base -v ./x:/y';
  const gone = await mkdtemp(join(tmpdir(), "br-gone-"));
  await using cli = await CliWithServer.start();
  const { code, stderr } = await typed(script, { env: { ...cli.env, GONE: gone } });
  expect(code).toBe(125);
  expect(stderr).toMatch(/^Error: ENOENT: process\.cwd failed/m);
  expect(stderr).not.toMatch(stack);
});
