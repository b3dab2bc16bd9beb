import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

let cli: CliWithServer;
let dir: string;
beforeAll(async () => {
  cli = await CliWithServer.start();
  await cli.createBox("dev");
  await cli.createBox("test");
});
afterAll(() => cli[Symbol.asyncDispose]());
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "br-cp-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const signal = new AbortController().signal;
const cp = (...args: string[]) => cli.runWith({ cwd: dir }, "cp", ...args);

async function cpOk(...args: string[]): Promise<void> {
  expect(await cp(...args)).toMatchObject({ code: 0, stdout: "", stderr: "" });
}
async function inBox(path: string, box = "dev"): Promise<string> {
  const { content } = await cli.server.core.files.read(box, path, { signal });
  return (await content.toArray()).join("");
}
async function modeInBox(folder: string, name: string): Promise<string | undefined> {
  return (await cli.server.core.files.list("dev", folder)).find((entry) => entry.name === name)?.mode;
}
async function putInBox(path: string, content: string | Uint8Array): Promise<void> {
  await cli.server.core.files.write("dev", path, Readable.from([Buffer.from(content)]), { signal });
}
const modeOf = async (path: string) => ((await stat(join(dir, path))).mode & 0o7777).toString(8);
const here = (path: string) => readFile(join(dir, path), "utf8");

describe("a file into a box", () => {
  it("goes to the name that is given, mode and all", async () => {
    await writeFile(join(dir, "tool"), "#!/bin/sh\n", { mode: 0o751 });
    await chmod(join(dir, "tool"), 0o751);
    await cpOk("tool", "dev:/opt/new/place/tool2");
    expect(await inBox("/opt/new/place/tool2")).toBe("#!/bin/sh\n");
    expect(await modeInBox("/opt/new/place", "tool2")).toBe("0751");
  });

  it.each(["dev:/opt", "dev:/opt/", "dev:/fresh/"])("goes into the directory %s", async (target) => {
    await writeFile(join(dir, "a.txt"), "x");
    await cpOk("a.txt", target);
    expect(await inBox(`${target.slice(4).replace(/\/$/, "")}/a.txt`)).toBe("x");
  });

  it("goes to the working directory where the path is relative", async () => {
    await writeFile(join(dir, "a.txt"), "rel");
    await cpOk("./a.txt", "dev:");
    await cpOk("a.txt", "dev:sub/b.txt");
    expect(await inBox("/root/a.txt")).toBe("rel");
    expect(await inBox("/root/sub/b.txt")).toBe("rel");
  });

  it("may be empty, big, or have a name that is odd or long", async () => {
    const odd = `@ödd:-${"n".repeat(200)}`;
    const big = randomBytes(5_000_001);
    await writeFile(join(dir, "empty"), "");
    await writeFile(join(dir, odd), big);
    await cpOk("empty", "dev:/odd/");
    await cpOk(`./${odd}`, "dev:/odd/");
    expect(await inBox("/odd/empty")).toBe("");
    await cpOk(`dev:/odd/${odd}`, "back");
    expect((await readFile(join(dir, "back"))).equals(big)).toBe(true);
  });

  it("may come from standard input", async () => {
    const result = await cli.runWith({ input: "from a pipe" }, "cp", "-", "dev:/root/piped");
    expect(result).toMatchObject({ code: 0, stdout: "" });
    expect(await inBox("/root/piped")).toBe("from a pipe");
  });
});

describe("a file out of a box", () => {
  it("goes to the name that is given, or into a directory, mode and all", async () => {
    await writeFile(join(dir, "tool"), "run me");
    await chmod(join(dir, "tool"), 0o700);
    await cpOk("tool", "dev:/bin/tool");
    await mkdir(join(dir, "into"));
    await cpOk("dev:/bin/tool", "named");
    await cpOk("dev:/bin/tool", "into");
    expect([await here("named"), await here("into/tool")]).toEqual(["run me", "run me"]);
    expect([await modeOf("named"), await modeOf("into/tool")]).toEqual(["700", "700"]);
  });

  it("replaces a file whole, and leaves it alone when there is none to copy", async () => {
    await writeFile(join(dir, "kept"), "old and longer");
    expect(await cp("dev:/nope", "kept")).toMatchObject({ code: 125, stderr: expect.stringContaining("/nope") });
    expect(await here("kept")).toBe("old and longer");
    await putInBox("/new", "new");
    await cpOk("dev:/new", "kept");
    expect(await here("kept")).toBe("new");
    expect(await readdir(dir)).toEqual(["kept"]);
  });

  it("goes to standard output byte for byte", async () => {
    const bytes = randomBytes(300_000);
    await putInBox("/bytes", bytes);
    const result = await cp("dev:/bytes", "-");
    expect(result.stdoutBytes.equals(bytes)).toBe(true);
  });
});

describe("a directory", () => {
  beforeEach(async () => {
    await mkdir(join(dir, "tree/sub"), { recursive: true });
    await writeFile(join(dir, "tree/run.sh"), "#!/bin/sh\n");
    await chmod(join(dir, "tree/run.sh"), 0o777);
    await writeFile(join(dir, "tree/sub/ro"), "read only");
    await chmod(join(dir, "tree/sub/ro"), 0o400);
    await symlink("../run.sh", join(dir, "tree/sub/link"));
    await symlink("/etc/passwd", join(dir, "tree/absolute"));
  });

  it("goes there and back with modes and symlinks", async () => {
    await cpOk("tree", "dev:/there");
    expect(await inBox("/there/sub/ro")).toBe("read only");
    await cpOk("dev:/there", "back");
    expect(await here("back/sub/ro")).toBe("read only");
    expect([await modeOf("back/run.sh"), await modeOf("back/sub/ro")]).toEqual(["777", "400"]);
    expect(await readlink(join(dir, "back/sub/link"))).toBe("../run.sh");
    expect(await readlink(join(dir, "back/absolute"))).toBe("/etc/passwd");
    expect((await readdir(dir)).sort()).toEqual(["back", "tree"]);
  });

  it("goes into a directory that is there, and its content with /.", async () => {
    await mkdir(join(dir, "into"));
    await cpOk("tree", "dev:/dirs/");
    await cpOk("tree/.", "dev:/content");
    await cpOk("tree", "dev:/content");
    await cpOk("dev:/dirs/tree", "into");
    await cpOk("dev:/dirs/tree/.", "into");
    expect((await cli.server.core.files.list("dev", "/content")).map(({ name }) => name)).toEqual([
      "absolute",
      "run.sh",
      "sub",
      "tree",
    ]);
    expect((await readdir(join(dir, "into"))).sort()).toEqual(["absolute", "run.sh", "sub", "tree"]);
  });

  it("does not replace a file", async () => {
    await writeFile(join(dir, "file"), "mine");
    await putInBox("/file", "its own");
    expect(await cp("tree", "dev:/file")).toMatchObject({ code: 125 });
    await cpOk("tree", "dev:/t2");
    expect(await cp("dev:/t2", "file")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("not a directory"),
    });
    expect([await here("file"), await inBox("/file")]).toEqual(["mine", "its own"]);
  });

  it("brings no setuid bit to this host", async () => {
    await writeFile(join(dir, "tree/su"), "x");
    await chmod(join(dir, "tree/su"), 0o4755);
    await cpOk("tree", "dev:/suid");
    expect(await modeInBox("/suid", "su")).toBe("4755");
    await cpOk("dev:/suid", "out");
    expect(await modeOf("out/su")).toBe("755");
  });
});

describe("from box to box", () => {
  it("files keep their modes, directories their content", async () => {
    await writeFile(join(dir, "x"), "1");
    await chmod(join(dir, "x"), 0o750);
    await cpOk("x", "dev:/b2b/x");
    await cpOk("dev:/b2b/x", "test:/y");
    await cpOk("dev:/b2b", "test:/copy");
    expect([await inBox("/y", "test"), await inBox("/copy/x", "test")]).toEqual(["1", "1"]);
    expect((await cli.server.core.files.list("test", "/")).find(({ name }) => name === "y")?.mode).toBe("0750");
  });
});

describe("what can't be copied", () => {
  it.each([
    [["a", "b"], 2, /one of source and destination must be in a box/],
    [["/nonexistent", "dev:/x"], 125, /no file \/nonexistent/],
    [["/dev/null", "dev:/x"], 125, /no regular file \/dev\/null/],
    [["dev:/nope", "."], 125, /There is no \/nope in dev/],
    [["dev:/etc/hostname", "no/such/dir/"], 125, /There is no/],
    [["nope:/x", "."], 125, /no box "nope"/],
    [["-", "dev:/root/"], 2, /needs the name of a file/],
  ])("cp %j exits with %i", async (args, code, message) => {
    const result = await cp(...args);
    expect(result.code).toBe(code);
    expect(result.stderr).toMatch(message);
  });
});
