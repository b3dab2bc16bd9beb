import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmod,
  link,
  lstat,
  lutimes,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
  return (await cli.server.files("dev", folder)).find((entry) => entry.name === name)?.mode;
}
const putInBox = (path: string, content: string | Uint8Array) => cli.putFile("dev", path, content);
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
    expect((await cli.server.files("dev", "/content")).map(({ name }) => name)).toEqual([
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

describe("times and modes", () => {
  const [early, late, odd] = ["2001-02-03T04:05:06.000Z", "2017-07-14T02:40:00.000Z", "2037-01-02T03:04:05.000Z"];
  const entries = async (folder: string, box = "dev") => {
    const list = await cli.server.files(box, folder);
    return Object.fromEntries(
      list.map(({ name, mode, mtime, uid }) => [name, `${mode} ${new Date(mtime).toISOString()} ${uid}`]),
    );
  };
  const onHost = async (path: string) => {
    const { mode, mtime } = await lstat(join(dir, path));
    return `${(mode & 0o7777).toString(8).padStart(4, "0")} ${mtime.toISOString()}`;
  };
  beforeEach(async () => {
    await mkdir(join(dir, "tree/ro"), { recursive: true });
    await writeFile(join(dir, "tree/ro/none"), "x", { mode: 0o600 });
    await writeFile(join(dir, "tree/tool"), "#!/bin/sh\n");
    await symlink("tool", join(dir, "tree/link"));
    await chmod(join(dir, "tree/ro/none"), 0o000);
    await chmod(join(dir, "tree/tool"), 0o755);
    await lutimes(join(dir, "tree/link"), new Date(early), new Date(early));
    await utimes(join(dir, "tree/tool"), new Date(odd), new Date(odd));
    await utimes(join(dir, "tree/ro/none"), new Date(late), new Date(late));
    await chmod(join(dir, "tree/ro"), 0o555);
    await chmod(join(dir, "tree"), 0o711);
    for (const path of ["tree/ro", "tree"]) await utimes(join(dir, path), new Date(early), new Date(early));
  });

  it("of a file are kept there, back, and between boxes, also through a symlink", async () => {
    await cpOk("tree/tool", "dev:/times/tool");
    await cpOk("dev:/times/tool", "test:/times/tool2");
    await cpOk("test:/times/tool2", "back");
    expect(await entries("/times")).toMatchObject({ tool: `0755 ${odd} 0` });
    expect(await entries("/times", "test")).toMatchObject({ tool2: `0755 ${odd} 0` });
    expect(await onHost("back")).toBe(`0755 ${odd}`);
    await cpOk("tree/link", "dev:/times/through");
    expect((await entries("/times")).through).toBe(`0755 ${odd} 0`);
  });

  it("of a directory and all in it are kept there, back, and between boxes", async () => {
    await cpOk("tree", "dev:/deep/tree");
    await cpOk("dev:/deep/tree", "test:/deep/");
    await cpOk("test:/deep/tree", "back");
    const inTree = { ro: `0555 ${early} 0`, tool: `0755 ${odd} 0`, link: expect.stringContaining(early) };
    for (const box of ["dev", "test"]) {
      expect(await entries("/deep", box)).toMatchObject({ tree: `0711 ${early} 0` });
      expect(await entries("/deep/tree", box)).toMatchObject(inTree);
      expect(await entries("/deep/tree/ro", box)).toMatchObject({ none: `0000 ${late} 0` });
    }
    expect(await onHost("back")).toBe(`0711 ${early}`);
    expect(await onHost("back/ro")).toBe(`0555 ${early}`);
    expect(await onHost("back/ro/none")).toBe(`0000 ${late}`);
    expect(await onHost("back/tool")).toBe(`0755 ${odd}`);
    expect(await onHost("back/link")).toContain(early);
  });

  it("of a directory that only gets another's content stay", async () => {
    await cpOk("tree", "dev:/merge");
    await mkdir(join(dir, "other"), { mode: 0o750 });
    await cpOk("other/.", "dev:/merge");
    expect(await entries("/")).toMatchObject({ merge: expect.stringContaining("0711") });
    await cpOk("dev:/merge/.", "other");
    expect(await onHost("other")).toContain("0750");
  });
});

describe("names", () => {
  const names = ["with space", "new\nline", "ünï ✓", "--rf", "back\\slash", "x".repeat(255)];

  it.each(names)("may be %j, of a file and in a tree", async (name) => {
    await mkdir(join(dir, "tree"));
    await writeFile(join(dir, "tree", name), name);
    await cpOk(`./tree/${name}`, "dev:/names/");
    await cpOk(`dev:/names/${name}`, "one");
    const target = `dev:/trees/${names.indexOf(name)}`;
    await cpOk("tree", target);
    await cpOk(target, "back");
    expect([await here("one"), await here(`back/${name}`)]).toEqual([name, name]);
  });
});

describe("files that are not just content", () => {
  it("keep several names of one file, and pipes are left out with a note", async () => {
    await mkdir(join(dir, "tree"));
    await writeFile(join(dir, "tree/a"), "once");
    await link(join(dir, "tree/a"), join(dir, "tree/b"));
    execFileSync("mkfifo", [join(dir, "tree/pipe")]);
    const result = await cp("tree", "dev:/links");
    expect(result).toMatchObject({ code: 0, stderr: "Left out: pipe: it is no file, directory or symlink\n" });
    expect(await inBox("/links/b")).toBe("once");
    expect((await cli.server.files("dev", "/links")).map(({ name }) => name)).toEqual(["a", "b"]);
  });
});

describe("whose a file becomes", () => {
  const owners = async (path: string) =>
    (await cli.server.files("dev", path)).map(({ name, uid, gid }) => `${name} ${uid}:${gid}`);

  it("is said by --owner, for files, trees, tars and from box to box", async () => {
    await mkdir(join(dir, "tree"));
    await writeFile(join(dir, "tree/f"), "x");
    await cpOk("--owner", "nobody", "tree/f", "dev:/owned/file/f");
    await cpOk("--owner", "1000660000:5", "tree", "dev:/owned/tree");
    await cpOk("--owner=root:nobody", "dev:/owned/tree", "dev:/owned-copy");
    const input = execFileSync("tar", ["c", "-C", join(dir, "tree"), "."]);
    expect(await cli.runWith({ input }, "cp", "--owner", "7:8", "-", "dev:/owned/tar")).toMatchObject({ code: 0 });
    expect(await owners("/owned")).toEqual(["file 65534:65534", "tar 7:8", "tree 1000660000:5"]);
    const inside = ["/owned/file", "/owned/tree", "/owned/tar", "/owned-copy"].map(owners);
    expect((await Promise.all(inside)).flat()).toEqual(["f 65534:65534", "f 1000660000:5", "f 7:8", "f 0:65534"]);
  });

  it.each([
    [["--owner", "nobody-here", "f", "dev:/x"], 125, /nobody-here/],
    [["--owner", ":5", "f", "dev:/x"], 125, /USER:GROUP/],
    [["--owner", "root", "dev:/etc/hostname", "f"], 2, /--owner says whose files become in a box/],
  ])("is refused where nobody can say: cp %j", async (args, code, message) => {
    await writeFile(join(dir, "f"), "x");
    const result = await cp(...args);
    expect([result.code, result.stderr]).toEqual([code, expect.stringMatching(message)]);
  });

  it("stays whose it was where a file takes the place of another", async () => {
    await writeFile(join(dir, "f"), "x");
    await cpOk("--owner", "nobody", "f", "dev:/kept/f");
    await cpOk("f", "dev:/kept/f");
    expect(await owners("/kept")).toEqual(["f 65534:65534"]);
  });
});

describe("a symlink on this host", () => {
  beforeEach(async () => {
    await mkdir(join(dir, "volume/sub"), { recursive: true });
    await writeFile(join(dir, "secret"), "the host's own");
    await writeFile(join(dir, "volume/real"), "real");
  });

  it.each([
    ["a file", "../secret", "volume/link"],
    ["a file by its whole path", "/etc/hostname", "volume/link"],
    ["a directory", "..", "volume/link"],
    ["what is in a directory", "..", "volume/link/."],
  ])("that leads out of its directory to %s is followed only with --follow-link", async (_, target, source) => {
    await symlink(target, join(dir, "volume/link"));
    const result = await cp(source, "dev:/from-link");
    expect(result).toMatchObject({ code: 2, stderr: expect.stringMatching(/symlink that leads out.*-L/s) });
    await expect(cli.server.files("dev", "/from-link")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await cpOk("-L", source, "dev:/from-link");
    await cli.server.core.files.remove("dev", "/from-link");
  });

  it("that stays in its directory is followed where it is named, and none that is in a tree", async () => {
    await symlink("real", join(dir, "volume/link"));
    await symlink("../../secret", join(dir, "volume/sub/link"));
    await cpOk("volume/link", "dev:/named");
    await cpOk("volume", "dev:/volume");
    expect(await inBox("/named")).toBe("real");
    expect((await cli.server.files("dev", "/volume/sub"))[0]).toMatchObject({ type: "symlink" });
  });

  it("in the place of a copy is not written through", async () => {
    await mkdir(join(dir, "elsewhere"));
    await symlink("../elsewhere", join(dir, "volume/dir"));
    await symlink("../secret", join(dir, "volume/file"));
    await putInBox("/out/dir/file", "new");
    await putInBox("/out/file", "new");
    const refused = { code: 125, stderr: expect.stringContaining("nothing is written through it") };
    expect(await cp("dev:/out/dir", "volume")).toMatchObject(refused);
    await cpOk("dev:/out/file", "volume");
    expect(await cp("dev:/out/.", "volume")).toMatchObject({ stderr: expect.stringContaining("Left out: dir") });
    expect([await here("secret"), await readdir(join(dir, "elsewhere"))]).toEqual(["the host's own", []]);
  });
});

describe("files whose size says nothing, on this host", () => {
  it.each(["/proc/version", "/sys/class/net/lo/mtu", "/proc/cpuinfo"])("come with their content: %s", async (path) => {
    await cpOk(path, "dev:/virtual");
    expect(await inBox("/virtual")).toBe(await readFile(path, "utf8"));
  });

  it("come with their directory; what can't be read is named, and the rest comes", async () => {
    await cpOk("/proc/sys/kernel/random/.", "dev:/random");
    expect(await inBox("/random/poolsize")).toBe(await readFile("/proc/sys/kernel/random/poolsize", "utf8"));
    const result = await cp(`/proc/${process.pid}/attr/..`, "dev:/self");
    expect(result).toMatchObject({ code: 125, stderr: expect.stringContaining("mem: ") });
    expect(result.stderr).toContain("could not be read; everything else was copied");
    expect((await inBox("/self/status")).length).toBeGreaterThan(0);
  });

  it("end in a sentence where they can't be read", async () => {
    const result = await cp("/proc/self/mem", "dev:/mem");
    expect(result).toMatchObject({
      code: 125,
      stdout: "",
      stderr: expect.stringMatching(/^Error: .*\/proc\/self\/mem/),
    });
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(JSON.parse((await cp("--json", "/proc/self/mem", "dev:/mem")).stderr)).toMatchObject({ code: "HOST_FILE" });
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
    expect((await cli.server.files("test", "/")).find(({ name }) => name === "y")?.mode).toBe("0750");
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
    [["-", "here"], 2, /must be in a box/],
    [["dev:/etc", "dev:/etc/below"], 2, /can't be copied into itself/],
    [["dev:/", "dev:/below/"], 2, /can't be copied into itself/],
  ])("cp %j exits with %i", async (args, code, message) => {
    const result = await cp(...args);
    expect(result.code).toBe(code);
    expect(result.stderr).toMatch(message);
  });
});
