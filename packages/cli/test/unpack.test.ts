import {
  chmod,
  lstat,
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
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bytesOfText } from "../src/copy/bytes.ts";
import { HostDirectory } from "../src/copy/host-directory.ts";
import type { EntryType } from "../src/copy/tar/header.ts";
import { tarEntries } from "../src/copy/tar/read.ts";
import { tarEnd, tarEntry } from "../src/copy/tar/write.ts";
import { unpackDirectory } from "../src/copy/unpack.ts";

let dir: string;
let target: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "br-unpack-"));
  target = join(dir, "target");
  await mkdir(target);
  await mkdir(join(dir, "outside"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

interface Fields {
  readonly name: string;
  readonly type: EntryType;
  readonly mode?: number;
  readonly mtime?: Date;
  readonly linkname?: string;
  readonly content?: string;
}

async function* archive(entries: readonly Fields[]): AsyncGenerator<Uint8Array> {
  for (const { name, type, mode = 0o644, mtime = new Date(1000), linkname = "", content = "" } of entries) {
    const bytes = Buffer.from(content);
    const header = { type, mode, mtimeNs: BigInt(mtime.getTime()) * 1_000_000n, sizeBytes: bytes.length };
    yield* tarEntry({ ...header, name: bytesOfText(name), linkName: bytesOfText(linkname) }, Readable.from([bytes]));
  }
  yield tarEnd;
}

async function unpack(chunks: AsyncIterable<Uint8Array>): Promise<string[]> {
  return await unpackDirectory(tarEntries(chunks), await HostDirectory.open(target));
}

/** Everything below `dir` but the target itself. */
async function outside(): Promise<string[]> {
  return (await readdir(dir, { recursive: true })).filter((path) => path !== "target" && !path.startsWith("target/"));
}

describe("an archive from a hostile box", () => {
  it.each<[string, Parameters<typeof archive>[0]]>([
    ["a path that climbs", [{ name: "../outside/x", type: "file", content: "evil" }]],
    [
      "a file below its own symlink",
      [
        { name: "a", type: "symlink", linkname: "../outside" },
        { name: "a/x", type: "file", content: "evil" },
      ],
    ],
    [
      "a symlink below its own symlink",
      [
        { name: "a", type: "symlink", linkname: "../outside" },
        { name: "a/x", type: "symlink", linkname: "/etc/passwd" },
      ],
    ],
    ["a symlink that climbs", [{ name: "../outside/x", type: "symlink", linkname: "y" }]],
    [
      "a hard link to what a symlink leads to",
      [
        { name: "d/f", type: "file", content: "x" },
        { name: "l", type: "link", linkname: "d/../../outside/secret" },
      ],
    ],
    ["a hard link over a symlink of the target", [{ name: "x", type: "link", linkname: "climbs/secret" }]],
    ["a directory over a symlink of the target", [{ name: "climbs/", type: "directory", mode: 0o700 }]],
    ["a directory below a symlink of the target", [{ name: "climbs/x/", type: "directory" }]],
    ["an absolute hard link", [{ name: "x", type: "link", linkname: "/etc/passwd" }]],
    ["a file in the place of the directory itself", [{ name: ".", type: "file", content: "evil" }]],
    ["a hard link out of it", [{ name: "x", type: "link", linkname: "../outside/secret" }]],
    ["a device", [{ name: "null", type: "character-device" }]],
  ])("can't use %s, and that is told", async (_, entries) => {
    await symlink("../outside", join(target, "climbs"));
    const leftOut = await unpack(archive(entries));
    expect(leftOut.length).toBeGreaterThan(0);
    expect(await outside()).toEqual(["outside"]);
  });

  it("stays below the target with absolute paths", async () => {
    await unpack(archive([{ name: join(dir, "outside/x"), type: "file", content: "evil" }]));
    expect(await outside()).toEqual(["outside"]);
  });

  it("does not write through a symlink that lies in the target already", async () => {
    await symlink("../outside", join(target, "a"));
    await unpack(archive([{ name: "a/x", type: "file", content: "evil" }]));
    expect(await outside()).toEqual(["outside"]);
  });
});

describe("an archive", () => {
  it("is unpacked with modes and symlinks; what is there is replaced", async () => {
    await writeFile(join(target, "old"), "something longer");
    await symlink("elsewhere", join(target, "link"));
    const leftOut = await unpack(
      archive([
        { name: "sub/", type: "directory", mode: 0o750 },
        { name: "sub/x", type: "file", mode: 0o4777, content: "x" },
        { name: "old", type: "file", content: "new" },
        { name: "link", type: "symlink", linkname: "/etc/passwd" },
      ]),
    );
    expect(leftOut).toEqual([]);
    expect(await readFile(join(target, "old"), "utf8")).toBe("new");
    expect(await readlink(join(target, "link"))).toBe("/etc/passwd");
    const modes = await Promise.all(
      ["sub", "sub/x"].map(async (path) => (await stat(join(target, path))).mode & 0o7777),
    );
    expect(modes).toEqual([0o750, 0o777]);
  });

  it("sets times last, of directories too, and of symlinks; read-only directories get their files", async () => {
    const [early, late] = [new Date("1960-02-03T04:05:06Z"), new Date("2150-02-03T04:05:06Z")];
    await unpack(
      archive([
        { name: "ro/", type: "directory", mode: 0o555, mtime: early },
        { name: "ro/file", type: "file", content: "x", mtime: late },
        { name: "ro/deep/", type: "directory", mode: 0o700, mtime: late },
        { name: "ro/deep/link", type: "symlink", linkname: "../file", mtime: early },
      ]),
    );
    const times = await Promise.all(
      ["ro", "ro/file", "ro/deep", "ro/deep/link"].map(async (path) => (await lstat(join(target, path))).mtime),
    );
    expect(times).toEqual([early, late, late, early]);
    expect((await stat(join(target, "ro"))).mode & 0o777).toBe(0o555);
    await chmod(join(target, "ro"), 0o755);
  });

  it("keeps files with several names one file, and replaces what had the name", async () => {
    await writeFile(join(target, "b"), "old");
    await unpack(
      archive([
        { name: "a", type: "file", content: "one" },
        { name: "b", type: "link", linkname: "a" },
        { name: "sub/c", type: "link", linkname: "./a" },
      ]),
    );
    const inodes = await Promise.all(["a", "b", "sub/c"].map(async (path) => (await stat(join(target, path))).ino));
    expect(new Set(inodes).size).toBe(1);
    expect((await readdir(target)).sort()).toEqual(["a", "b", "sub"]);
  });

  it("changes neither mode nor time of a directory that was there, itself least of all", async () => {
    await mkdir(join(target, "there"), { mode: 0o750 });
    const then = new Date("2001-02-03T04:05:06Z");
    for (const path of [join(target, "there"), target]) await utimes(path, then, then);
    await chmod(target, 0o700);
    const described = async (path: string) => {
      const { mode, mtimeMs } = await stat(join(target, path));
      return [mode & 0o7777, mtimeMs];
    };
    const before = [await described(""), await described("there")];
    await unpack(
      archive([
        { name: "./", type: "directory", mode: 0o777 },
        { name: "there/", type: "directory", mode: 0o777 },
        { name: ".//./", type: "directory", mode: 0o777 },
      ]),
    );
    expect([await described(""), await described("there")]).toEqual(before);
  });

  it("may have any name", async () => {
    const names = ["with space", "new\nline", "ünï ✓", "n".repeat(250), "-rf", "back\\slash", "it's"];
    expect(await unpack(archive(names.map((name) => ({ name, type: "file", content: name }))))).toEqual([]);
    expect((await readdir(target)).sort()).toEqual(names.toSorted());
  });

  it.each([
    ["in a header", 100],
    ["in a file", 2000],
  ])("that is cut off %s fails, and leaves no half file", async (_, at) => {
    const whole = await buffer(archive([{ name: "x", type: "file", content: "y".repeat(5000) }]));
    await expect(unpack(Readable.from([whole.subarray(0, at)]))).rejects.toThrow(/end of data/);
    expect(await readdir(target)).toEqual([]);
  });

  it("that breaks off with its connection fails with the reason, and leaves no half file", async () => {
    const broken = (async function* () {
      const whole = await buffer(archive([{ name: "x", type: "file", content: "y".repeat(5000) }]));
      yield whole.subarray(0, 2000);
      throw new Error("the box is gone");
    })();
    await expect(unpack(broken)).rejects.toThrow("the box is gone");
    expect(await readdir(target)).toEqual([]);
  });
});
