import { Readable } from "node:stream";
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

  it("runs the image's own command where none is given, and leaves no box of one that has none", async () => {
    expect(await cli.run("run", "base")).toMatchObject({ code: 0, stdout: "its own\n" });
    const { signal } = new AbortController();
    await cli.server.core.images.import(Readable.from(["tar:bare:1"]), { signal });
    expect(await cli.run("run", "bare:1")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("has no command of its own; say what to run, as in `boxrun run bare:1 sh`"),
    });
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

describe("run --keep", () => {
  const kept = "Its box stays: `boxrun rm -f kept` removes it\n";
  const remove = () => cli.run("rm", "-f", "kept");

  it("leaves the box, with what the program did in it, and says so", async () => {
    const program = ["base", "--", "sh", "-c", "echo done > /root/done; exit 3"];
    expect(await cli.run("run", "--keep", "-n", "kept", ...program)).toMatchObject({
      code: 3,
      stdout: "",
      stderr: kept,
    });
    expect(await cli.run("exec", "kept", "cat", "/root/done")).toMatchObject({ code: 0, stdout: "done\n" });
    expect(await remove()).toMatchObject({ code: 0 });
  });

  it("names a box that was given none", async () => {
    const { stderr } = await cli.run("run", "--keep", "base", "true");
    const name = /`boxrun rm -f (run-[0-9a-f]+)`/.exec(stderr)?.[1] ?? "";
    expect(await cli.run("rm", "-f", name)).toMatchObject({ code: 0 });
  });

  it("tells the box's id as JSON with --json", async () => {
    const { stderr } = await cli.run("run", "--json", "--keep", "-n", "kept", "base", "true");
    expect(JSON.parse(stderr)).toMatchObject({ box_id: cli.server.core.boxes.get("kept").id });
    await remove();
  });

  it("leaves the box also when the program is not there, and after Ctrl-C", async () => {
    expect(await cli.run("run", "--keep", "-n", "kept", "base", "nosuch")).toMatchObject({
      code: 127,
      stderr: expect.stringContaining(kept),
    });
    await remove();
    const running = cli.spawn("run", "--keep", "-n", "kept", "base", "--", "sh", "-c", "echo ready; sleep 60");
    await running.printed("ready\n");
    running.child.kill("SIGINT");
    expect(await running.result()).toMatchObject({ code: 130, stderr: kept });
    await remove();
  });

  it("leaves none when the box can't be created", async () => {
    cli.server.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "no room"));
    expect(await cli.run("run", "--keep", "base", "true")).toMatchObject({
      code: 125,
      stderr: expect.not.stringContaining("stays"),
    });
  });
});

describe("run --rm", () => {
  it("is what run does anyway", async () => {
    expect(await cli.run("run", "--rm", "base", "echo", "gone")).toMatchObject({
      code: 0,
      stdout: "gone\n",
      stderr: "",
    });
  });

  it("can't be --keep too", async () => {
    expect(await cli.run("run", "--rm", "--keep", "base", "true")).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/^Error: option '--rm' cannot be used with option '--keep'\nHint: /),
    });
  });
});
