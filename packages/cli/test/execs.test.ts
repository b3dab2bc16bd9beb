import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

let cli: CliWithServer;
beforeAll(async () => {
  cli = await CliWithServer.start();
  await cli.createBox("dev");
});
afterAll(() => cli[Symbol.asyncDispose]());

const start = async (...program: readonly string[]) =>
  (await cli.run("exec", "-d", "dev", "--", ...program)).stdout.trim();

describe("ps", () => {
  it("lists what runs, with -a also what has ended, with -q ids", async () => {
    const running = await start("sleep", "60");
    await cli.run("exec", "dev", "--", "sh", "-c", "exit 4");
    expect((await cli.run("ps", "-q", "dev")).stdout).toBe(`${running}\n`);
    const { stdout } = await cli.run("ps", "-a", "dev");
    expect(stdout).toMatch(/^EXEC +STATUS +EXIT +STARTED +TOOK +COMMAND\n/);
    expect(stdout).toMatch(/^exec_\S{12} +failed +4 +\d+s ago +\S+ +sh -c 'exit 4'$/m);
    expect(stdout).toMatch(/^exec_\S{12} +running +- .* sleep 60$/m);
    await cli.run("kill", "dev", running);
  });
});

describe("ps of all boxes", () => {
  it("names the box of each program", async () => {
    await cli.createBox("other");
    const one = await start("sleep", "60");
    const { stdout } = await cli.run("ps");
    expect(stdout).toMatch(/^BOX +EXEC +STATUS/);
    expect(stdout).toMatch(new RegExp(`^dev +${one} +running`, "m"));
    expect(stdout).not.toContain("other");
    await cli.run("exec", "other", "true");
    expect((await cli.run("ps", "-a")).stdout).toMatch(/^other +exec_\S+ +succeeded/m);
    await cli.run("kill", "-9", "dev", one);
    await cli.run("rm", "-f", "other");
  });
});

describe("a program that is not there", () => {
  it("fails also in the background, and its logs say why", async () => {
    const started = await cli.run("exec", "-d", "dev", "nosuch");
    expect(started).toMatchObject({ code: 127, stderr: expect.stringMatching(/^Error: exec in dev: .*nosuch/) });
    const logs = await cli.run("logs", started.stdout.trim());
    expect(logs).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("nosuch") });
  });

  it("is perhaps a line of shell: then the line to type is told", async () => {
    const { code, stderr } = await cli.run("exec", "dev", "ls -l /");
    expect(code).toBe(127);
    expect(stderr).toMatch(/\nHint: .*type: boxrun exec dev -- sh -c 'ls -l \/'\n$/);
    expect((await cli.run("exec", "dev", "nosuch", "a b")).stderr).not.toContain("Hint: no shell");
  });
});

describe("logs", () => {
  it("follow rather what runs than what is newer, and say what", async () => {
    const running = await start("sh", "-c", "echo here; sleep 60");
    await cli.run("exec", "dev", "true");
    const following = cli.spawn("logs", "-f", "dev");
    await following.printed("here\n");
    await cli.run("kill", "dev", running);
    const { code, stderr } = await following.result();
    expect({ code, stderr }).toEqual({ code: 0, stderr: `Following ${running}: sh -c 'echo here; sleep 60'\n` });
    expect((await cli.run("logs", running)).stdout).toBe("here\n");
  });

  it("are found by the beginning of the exec's id, with its box and without", async () => {
    const id = await start("sh", "-c", "echo found; exit 3");
    const beginning = id.slice(0, 13);
    expect((await cli.run("wait", "dev", beginning)).code).toBe(3);
    for (const words of [["dev", beginning], [beginning]])
      expect(await cli.run("logs", ...words)).toMatchObject({ code: 0, stdout: "found\n" });
  });

  it("are of the latest exec, each stream to its own", async () => {
    await cli.run("exec", "dev", "--", "sh", "-c", "echo out; echo err >&2");
    expect(await cli.run("logs", "dev")).toMatchObject({ code: 0, stdout: "out\n", stderr: "err\n" });
  });

  it("of a program that runs end with what there is, or follow it to its end", async () => {
    const exec = await start("sh", "-c", "echo one; sleep 60");
    const following = cli.spawn("logs", "-f", "dev", exec);
    await following.printed("one\n");
    expect(await cli.run("logs", "dev", exec)).toMatchObject({ code: 0, stdout: "one\n" });
    await cli.run("kill", "dev", exec);
    expect(await following.result()).toMatchObject({ code: 0, stdout: "one\n" });
  });

  it("may be only the last lines, with the time before each", async () => {
    const exec = await start("seq", "1000");
    await cli.run("wait", "dev", exec);
    expect((await cli.run("logs", "--tail", "3", "dev", exec)).stdout).toBe("998\n999\n1000\n");
    expect((await cli.run("logs", "--tail", "0", "dev", exec)).stdout).toBe("");
    expect((await cli.run("logs", "-t", "--tail", "2", "dev", exec)).stdout).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z 999\n\d{4}-\d\d-\d\dT[\d:.]+Z 1000\n$/,
    );
  });

  it("are the last events with --json and --tail, and how the program ended behind them", async () => {
    const exec = await start("sh", "-c", "echo one; echo two >&2; echo three; exit 4");
    await cli.run("wait", "dev", exec);
    const events = async (...options: readonly string[]) => {
      const { code, stdout, stderr } = await cli.run("logs", "--json", ...options, "dev", exec);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
    };
    const all = await events();
    expect(all).toMatchObject([
      { event: "log", stream: "stdout", data: "one\n" },
      { event: "log", stream: "stderr", data: "two\n" },
      { event: "log", stream: "stdout", data: "three\n" },
      { event: "exit", exit_code: 4 },
    ]);
    expect(await events("--tail", "2")).toEqual(all.slice(1));
    expect(await events("-f", "--tail", "1")).toEqual(all.slice(2));
    expect(await events("--tail", "0")).toEqual(all.slice(3));
    expect(await events("--tail", "100")).toEqual(all);
  });
});

describe("kill", () => {
  it("ends a program, or sends it a signal by name or number", async () => {
    const [one, two, three] = [await start("sleep", "60"), await start("sleep", "60"), await start("sleep", "60")];
    expect(await cli.run("kill", "dev", one)).toMatchObject({ code: 0, stdout: `${one}\n` });
    expect(await cli.run("kill", "-s", "kill", "dev", two)).toMatchObject({ code: 0 });
    expect(await cli.run("kill", "-s", "9", "dev", three)).toMatchObject({ code: 0 });
    expect(await cli.run("wait", "dev", two)).toMatchObject({ code: 137, stdout: "", stderr: "" });
    expect(await cli.run("wait", "dev", three)).toMatchObject({ code: 137 });
    expect((await cli.run("kill", "-s", "SIGNONE", "dev", one)).code).toBe(2);
    expect(await cli.run("kill", "dev", one)).toMatchObject({ code: 125 });
  });
});

describe("wait", () => {
  it("exits as the first of the programs that has failed", async () => {
    const [good, bad, worse] = [
      await start("true"),
      await start("sh", "-c", "exit 3"),
      await start("sh", "-c", "exit 5"),
    ];
    expect(await cli.run("wait", "dev", good)).toMatchObject({ code: 0, stdout: "" });
    expect(await cli.run("wait", "dev", good, worse, bad)).toMatchObject({ code: 5 });
    expect(await cli.run("wait", "dev", "exec_000000000000")).toMatchObject({ code: 125 });
  });

  it("waits for a program that runs", async () => {
    const exec = await start("sleep", "60");
    const waiting = cli.spawn("wait", "--json", "dev");
    await expect.poll(() => cli.server.core.execs.get("dev", exec).status).toBe("running");
    await cli.run("kill", "-s", "TERM", "dev", exec);
    expect(await waiting.result()).toMatchObject({ code: 143, stdout: expect.stringContaining(exec) });
  });
});
