import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cliPath } from "./support/cli.ts";
import { CliWithServer } from "./support/server.ts";
import { Tmux } from "./support/tmux.ts";

let cli: CliWithServer;
let dir: string;
beforeAll(async () => {
  cli = await CliWithServer.start();
  await cli.createBox("dev");
});
afterAll(() => cli[Symbol.asyncDispose]());
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "br-cp-stdio-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const put = (path: string, content: string) => cli.putFile("dev", path, content);
const list = (path: string) => cli.server.files("dev", path);

/** The tar of a directory with one program in it, as a real tar makes it. */
async function someTar(): Promise<Buffer> {
  await mkdir(join(dir, "in/sub"), { recursive: true });
  await writeFile(join(dir, "in/sub/tool"), "#!/bin/sh\n");
  await chmod(join(dir, "in/sub/tool"), 0o751);
  await utimes(join(dir, "in/sub/tool"), 1e9, 1e9);
  return execFileSync("tar", ["c", "-C", join(dir, "in"), "."]);
}

/** What a real tar makes of an archive: `mode size name` lines. */
function entries(tar: Buffer): string[] {
  const text = execFileSync("tar", ["tv", "--numeric-owner"], { input: tar }).toString();
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/^(\S+) +(\S+) +(\d+) +(\S+ \S+) (.*)$/, "$1 $3 $5").replace(/\/$/, ""));
}

describe("a tar on standard input", () => {
  it("goes into a directory, made if missing, with modes and times", async () => {
    const result = await cli.runWith({ input: await someTar() }, "cp", "-", "dev:/made/here");
    expect(result).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await list("/made/here/sub")).toMatchObject([
      { name: "tool", mode: "0751", mtime: "2001-09-09T01:46:40.000Z" },
    ]);
  });

  it.each<[string, string | Buffer, string, RegExp]>([
    ["text", "hello", "dev:/root/greeting", /is no tar.*exec -i dev -- sh -c 'cat > \/root\/greeting'/s],
    ["text for a directory", "x".repeat(2000), "dev:/root/", /is no tar.*cat > \/root\/NAME/s],
    ["nothing", "", "dev:/root/x", /is empty/],
    ["what gzip has compressed", gzipSync("x".repeat(5000)), "dev:/root/x", /compressed with gzip.*gzip -d/s],
    ["a tar for a file", "irrelevant", "dev:/file", /\/file is a file.*cat > \/file/s],
  ])("is told from %s, which changes nothing in the box", async (_, input, target, message) => {
    await put("/file", "kept");
    await put("/root/kept", "kept");
    const result = await cli.runWith({ input }, "cp", "-", target);
    expect(result).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(message) });
    expect((await list("/root")).map(({ name }) => name)).toEqual(["kept"]);
  });
});

describe("a tar on standard output", () => {
  beforeEach(async () => {
    await cli.server.core.files.remove("dev", "/src").catch(() => undefined);
    await put("/src/sub/a", "one");
    await put("/src/b", "three");
  });
  const output = async (source: string) => (await cli.run("cp", source, "-")).stdoutBytes;

  it("has a directory under its name, and what is in it with /.", async () => {
    expect(entries(await output("dev:/src"))).toEqual([
      "drwxr-xr-x 0 src",
      "drwxr-xr-x 0 src/sub",
      "-rw-r--r-- 3 src/sub/a",
      "-rw-r--r-- 5 src/b",
    ]);
    expect(entries(await output("dev:/src/."))).toEqual(["drwxr-xr-x 0 sub", "-rw-r--r-- 3 sub/a", "-rw-r--r-- 5 b"]);
  });

  it("has a file under its name", async () => {
    expect(entries(await output("dev:/src/b"))).toEqual(["-rw-r--r-- 5 b"]);
  });

  it("goes straight into another box", async () => {
    const result = await cli.runWith({ input: await output("dev:/src") }, "cp", "-", "dev:/copied");
    expect(result.code).toBe(0);
    expect((await list("/copied/src")).map(({ name }) => name)).toEqual(["b", "sub"]);
  });

  it("is empty where there is nothing to copy, and that is an error", async () => {
    expect(await cli.run("cp", "dev:/nope", "-")).toMatchObject({
      code: 125,
      stdout: "",
      stderr: expect.stringMatching(/no \/nope/),
    });
  });
});

describe("on a terminal", () => {
  it.each([
    ["-", "dev:/x", "standard input is a terminal"],
    ["dev:/root", "-", "standard output is a terminal"],
  ])("cp %s %s is refused", async (from, to, message) => {
    await using terminal = await Tmux.start([process.execPath, cliPath, "cp", from, to], { env: cli.env });
    expect(await terminal.ended()).toBe(2);
    expect(await terminal.screen({ history: 10 })).toContain(message);
  });
});
