import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

let cli: CliWithServer;
beforeAll(async () => {
  cli = await CliWithServer.start();
});
afterAll(() => cli[Symbol.asyncDispose]());

describe("recover", () => {
  it("lists what the database does not know, takes it in, or removes it", async () => {
    const [kept, gone] = [await cli.createBox("kept"), await cli.createBox("gone")];
    const db = new DatabaseSync(join(cli.server.stateDir, "boxrun.db"));
    db.exec("DELETE FROM boxes");
    db.close();
    const listed = await cli.run("recover");
    expect(listed.stdout).toMatch(/^ID +NAME +IMAGE +ENGINE +CREATED +CAN BE$/m);
    expect(listed.stdout).toMatch(new RegExp(`^${kept} +kept +base +memory +\\d+s ago +recovered, removed$`, "m"));
    expect((await cli.run("doctor")).stdout).toMatch(/^warn +boxes +2 boxes are here that the database does not know/m);
    expect(await cli.run("recover", kept)).toMatchObject({ code: 0, stdout: "kept is running\n" });
    expect((await cli.run("ls", "-q")).stdout).toBe(`${kept}\n`);
    expect((await cli.run("__complete", "zsh", "recover", "")).stdout).toContain(gone);
    expect(await cli.run("recover", "--remove", "--all")).toMatchObject({ code: 0, stdout: `${gone}\n` });
    expect(JSON.parse((await cli.run("recover", "--json")).stdout)).toEqual([]);
    expect((await cli.run("doctor")).stdout).not.toMatch(/does not know/);
  });

  it("says what can't be meant", async () => {
    expect(await cli.run("recover", "--remove")).toMatchObject({ code: 2 });
    expect(await cli.run("recover", "--all", "box_1")).toMatchObject({ code: 2 });
    expect(await cli.run("recover", "box_1")).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/There is no box/),
    });
  });
});
