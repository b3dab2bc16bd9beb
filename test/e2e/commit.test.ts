import { execFileSync } from "node:child_process";
import { imageSchema, urls } from "@boxrun/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillWithOddFiles, oddFiles } from "./support/odd-files.ts";
import { TestServer } from "./support/server.ts";

describe("an image of a box", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start();
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  const boxrun = async (...args: string[]) => {
    const result = await server.runCli(args);
    if (result.exitCode !== 0) throw new Error(`boxrun ${args.join(" ")}: ${result.exitCode}: ${result.stderr}`);
    return result.stdout;
  };
  const small = ["-m", "128", "--cpu", "1", "--pull", "never"];

  it("makes boxes that have all that the first one had", async () => {
    await boxrun("create", "base", "-n", "first", ...small, "-w", "/srv/work", "-e", "KIND=prepared", "-e", "TOKEN=t");
    await boxrun("exec", "first", "--", "sh", "-c", fillWithOddFiles);
    const before = await boxrun("exec", "first", "--", "sh", "-c", oddFiles);
    const refused = await server.runCli(["commit", "first", "env"]);
    expect(refused.exitCode).toBe(125);
    expect(refused.stderr).toContain("`boxrun stop first`");
    await boxrun("stop", "first");
    expect(await boxrun("commit", "first", "env")).toMatch(/^env \d/);

    expect(JSON.parse(await boxrun("images", "show", "--json", "env"))).toMatchObject([
      { reference: "env", config: { env: { KIND: "prepared" }, workdir: "/srv/work", cmd: ["/bin/bash"] } },
    ]);
    await boxrun("create", "env", "-n", "second", ...small);
    expect(await boxrun("exec", "second", "--", "sh", "-c", oddFiles)).toBe(before);
    expect(await boxrun("exec", "second", "--", "sh", "-c", "pwd; hostname; echo $KIND $TOKEN")).toBe(
      "/srv/work\nsecond\nprepared\n",
    );
    // Its own, as every box has.
    const machineId = (box: string) => boxrun("exec", box, "--", "cat", "/etc/machine-id");
    const ofSecond = await machineId("second");
    await boxrun("start", "first");
    expect(await machineId("first")).not.toBe(ofSecond);
    expect(await boxrun("exec", "first", "--", "sh", "-c", oddFiles)).toBe(before);
  });

  it("is told of in the history, and leaves nothing behind when it goes", async () => {
    expect(await boxrun("history", "first", "--format", "{{.action}} {{.target}}")).toContain("commit env\n");
    expect((await server.runCli(["images", "rm", "env"])).stderr).toContain("second");
    await boxrun("rm", "-f", "second");
    await boxrun("images", "rm", "env");
    const images = imageSchema.array().parse((await server.http.json("GET", urls.images())).body);
    expect(images.map(({ reference }) => reference)).toEqual(["base"]);
    const kept = execFileSync("find", [
      `${server.stateDir}/images/layouts`,
      `${server.stateDir}/images/scratch`,
      "-mindepth",
      "1",
      "-maxdepth",
      "1",
    ]);
    expect(kept.toString().trim().split("\n")).toHaveLength(1);
  });
});
