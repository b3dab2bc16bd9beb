import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cliPath } from "./support/cli.ts";
import { CliWithServer } from "./support/server.ts";
import { Tmux } from "./support/tmux.ts";

let cli: CliWithServer;
let devId: string;
beforeAll(async () => {
  cli = await CliWithServer.start();
  devId = await cli.createBox("dev");
  await cli.createBox("idle");
  await cli.run("stop", "idle");
});
afterAll(() => cli[Symbol.asyncDispose]());

describe("stats", () => {
  it("shows all boxes that run, once on a pipe", async () => {
    const { code, stdout } = await cli.run("stats");
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^BOX +CPU +MEMORY +DISK +NETWORK IN \/ OUT +PROCESSES +HOST CPU +HOST MEMORY/);
    expect(lines[1]).toMatch(/^dev +0\.0 % of \d +\S+ MB \/ \S+ MB +/);
  });

  it("has all that is known as JSON, and in templates", async () => {
    const { stdout } = await cli.run("stats", "dev", "--json");
    expect(JSON.parse(stdout)).toMatchObject([{ box_id: devId, name: "dev", guest: "answered", cpu_percent: 0 }]);
    expect((await cli.run("stats", "--format", "{{.name}} {{.processes}}")).stdout).toBe("dev 0\n");
    expect((await cli.run("stats", "-q")).stdout).toBe(`${devId}\n`);
  });

  it("says which box does not run, and shows the others all the same", async () => {
    const { code, stdout, stderr } = await cli.run("stats", "idle", "dev", "--no-stream");
    expect(code).toBe(125);
    expect(stdout).toMatch(/^dev /m);
    expect(stderr).toMatch(/^Error: stats idle: .*stopped/);
  });

  it("says why a box tells nothing of itself", async () => {
    const box = cli.server.host.boxes.get(devId);
    box?.fallSilent("it was frozen");
    // A reading of just now may serve twice.
    await expect
      .poll(async () => (await cli.run("stats", "dev")).stdout, { timeout: 60_000 })
      .toMatch(/^dev .* does not answer: it was frozen$/m);
    box?.answerAgain();
    await expect.poll(async () => (await cli.run("stats", "dev")).stdout, { timeout: 60_000 }).not.toContain("frozen");
  });

  it("is drawn anew on a terminal, until it is interrupted", async () => {
    const command = [process.execPath, cliPath, "stats"];
    await using tmux = await Tmux.start(command, { cols: 120, rows: 20, env: cli.env });
    await tmux.shows(/dev .*0\.0 % of/);
    const box = cli.server.host.boxes.get(devId);
    if (box === undefined) throw new Error("no box");
    box.uses.memoryBytes = 128 * 1024 * 1024;
    await tmux.shows(/dev .*134 MB/);
  });
});
