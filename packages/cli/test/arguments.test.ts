import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { typed } from "./support/cli.ts";
import { CliWithServer } from "./support/server.ts";

let cli: CliWithServer;
beforeAll(async () => {
  cli = await CliWithServer.start();
  await cli.createBox("dev");
});
afterAll(() => cli[Symbol.asyncDispose]());

const thisFile = fileURLToPath(import.meta.url);

describe("options of Node's own among a user's words", () => {
  it.each([
    ["exec dev echo --env-file nope --import nope", "--env-file nope --import nope\n"],
    [`exec dev -- echo --env-file=${thisFile} --inspect`, `--env-file=${thisFile} --inspect\n`],
    ["run base echo --env-file-if-exists nope", "--env-file-if-exists nope\n"],
    [`exec --env-file <(printf 'A=from a file') dev -- sh -c 'echo $A'`, "from a file\n"],
    [`exec -e A=--env-file dev -- sh -c 'echo $A'`, "--env-file\n"],
  ])("reach the program: %s", async (words, stdout) => {
    expect(await typed(words, { env: cli.env })).toMatchObject({ code: 0, stdout });
  });

  it("are ours to refuse where no program is", async () => {
    const refused = await typed("ls --env-file nope", { env: cli.env });
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/^Error: unknown option '--env-file'/) });
  });
});

describe.runIf(process.platform === "linux")("an argument that is not UTF-8", () => {
  it.each([
    [String.raw`exec dev echo $'caf\xe9'`, String.raw`argument 4, $'caf\xe9',`],
    [String.raw`exec -e NAME=$'caf\xe9' dev env`, String.raw`argument 3, $'NAME=caf\xe9',`],
    [String.raw`cp $'/tmp/\xff' dev:/root/`, String.raw`argument 2, $'/tmp/\xff',`],
    [String.raw`$'l\xed\xa0\x80s'`, String.raw`argument 1, $'l\xed\xa0\x80s',`],
  ])("is refused by its name: %s", async (words, named) => {
    const { code, stdout, stderr } = await typed(words, { env: cli.env });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`Error: ${named} is not UTF-8\nHint: `);
    const json = await typed(`--json ${words}`, { env: cli.env });
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stderr)).toMatchObject({ code: "USAGE", message: expect.stringContaining("is not UTF-8") });
  });

  it("is told from U+FFFD that was typed", async () => {
    const words = String.raw`exec dev echo $'\xef\xbf\xbd'`;
    expect(await typed(words, { env: cli.env })).toMatchObject({ code: 0, stdout: "\ufffd\n" });
  });

  it("is refused also where it comes from the environment", async () => {
    const script = String.raw`--version > /dev/null; NAME=$'caf\xe9' "$BOXRUN" exec -e NAME dev env`;
    const refused = await typed(script, { env: cli.env });
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("The value of NAME is not UTF-8") });
  });
});
