import { BoxRunError } from "@boxrun/contract";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

let cli: CliWithServer;
beforeAll(async () => {
  cli = await CliWithServer.start();
});
afterEach(() => expect(cli.server.core.boxes.list()).toEqual([]));
afterAll(() => cli[Symbol.asyncDispose]());

describe("run", () => {
  it("runs a program in a box of its own, which is gone afterwards", async () => {
    const result = await cli.run(
      "run",
      "-m",
      "64",
      "--cpu",
      "1",
      "-e",
      "A=b",
      "base",
      "--",
      "sh",
      "-c",
      "echo $A; exit 9",
    );
    expect(result).toMatchObject({ code: 9, stdout: "b\n", stderr: "" });
  });

  it("passes standard input on with -i", async () => {
    expect(await cli.runWith({ input: "hello" }, "run", "-i", "base", "cat")).toMatchObject({
      code: 0,
      stdout: "hello",
    });
  });

  it("leaves no box behind when the program is not there", async () => {
    expect(await cli.run("run", "base", "nosuch")).toMatchObject({ code: 127 });
  });

  it("leaves no box behind when it can't be created", async () => {
    cli.server.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "no room"));
    expect(await cli.run("run", "base", "true")).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/^Error: run base: .*no room/),
    });
  });

  it("does not touch a box that has the name already", async () => {
    await cli.createBox("dev");
    expect(await cli.run("run", "-n", "dev", "no-such-image", "true")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("dev"),
    });
    expect(cli.server.core.boxes.get("dev").status).toBe("running");
    await cli.run("rm", "-f", "dev");
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("removes the box on %s", async (signal) => {
    const running = cli.spawn("run", "base", "--", "sh", "-c", "echo ready; sleep 60");
    await running.printed("ready\n");
    running.child.kill(signal);
    const code = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal];
    expect(await running.result()).toMatchObject({ code, stdout: "ready\n", stderr: "" });
  });

  it("removes the box when it is interrupted in the middle of its creation", async () => {
    const hold = cli.server.engine.controls.hold("create");
    const running = cli.spawn("run", "base", "true");
    await hold.reached;
    running.child.kill("SIGINT");
    expect(await running.result()).toMatchObject({ code: 130, stdout: "" });
    hold.release();
  });

  it("removes the box when nobody reads its output any more", async () => {
    const running = cli.spawn("run", "base", "seq", "1000000");
    await running.printed("1\n");
    running.child.stdout?.destroy();
    expect(await running.result()).toMatchObject({ code: 141 });
  });
});
