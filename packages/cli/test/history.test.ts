import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

let cli: CliWithServer;
beforeAll(async () => {
  cli = await CliWithServer.start();
  await cli.run("create", "base", "--name", "dev");
  await cli.run("exec", "-e", "API_TOKEN=hidden", "dev", "--", "echo", "--password=hidden", "hello world");
  await cli.run("start", "dev");
  await cli.run("create", "base", "--name", "other");
  await cli.run("rm", "-f", "dev");
});
afterAll(() => cli[Symbol.asyncDispose]());

describe("history", () => {
  it("shows what was done, newest first, also to a box that is gone", async () => {
    const { code, stdout } = await cli.run("history", "dev");
    expect(code).toBe(0);
    const [head, ...lines] = stdout.trimEnd().split("\n");
    expect(head).toMatch(/^WHEN +BOX +ACTION +BY +WITH +WHAT$/);
    expect(lines.map((line) => line.split(/ {2,}/).slice(1, 3))).toEqual([
      ["dev", "remove"],
      ["dev", "start"],
      ["dev", "exec"],
      ["dev", "create"],
    ]);
    expect(lines[1]).toMatch(/\(BOX_ALREADY_RUNNING\)$/);
    expect(lines[2]).toMatch(/uid \d+, socket .*echo '?--password=\*\*\*'? 'hello world'$/);
    expect(stdout).not.toContain("hidden");
  });

  it("shows so many entries of all boxes as are asked for, in every format", async () => {
    const { stdout } = await cli.run("history", "-n", "2", "--json");
    expect(JSON.parse(stdout)).toMatchObject([{ action: "remove" }, { action: "create", box_name: "other" }]);
    expect((await cli.run("history", "-n", "1", "--format", "{{.action}} {{.caller.kind}}")).stdout).toBe(
      "remove socket\n",
    );
    expect((await cli.run("history", "-n", "0")).code).toBe(2);
  });
});
