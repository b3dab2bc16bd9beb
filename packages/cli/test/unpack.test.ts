import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Header, type HeaderData } from "tar";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
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

async function* archive(
  entries: readonly (HeaderData & { content?: string })[],
  end = true,
): AsyncGenerator<Uint8Array> {
  for (const { content = "", ...fields } of entries) {
    const header = new Header({ mode: 0o644, mtime: new Date(0), size: content.length, ...fields });
    header.encode();
    yield header.block ?? Buffer.alloc(512);
    if (content !== "") yield Buffer.concat([Buffer.from(content), Buffer.alloc(512 - content.length)]);
  }
  if (end) yield Buffer.alloc(1024);
}

/** Everything below `dir` but the target itself. */
async function outside(): Promise<string[]> {
  return (await readdir(dir, { recursive: true })).filter((path) => path !== "target" && !path.startsWith("target/"));
}

describe("an archive from a hostile box", () => {
  it.each<[string, Parameters<typeof archive>[0]]>([
    ["a path that climbs", [{ path: "../outside/x", type: "File", content: "evil" }]],
    [
      "a file below its own symlink",
      [
        { path: "a", type: "SymbolicLink", linkpath: "../outside" },
        { path: "a/x", type: "File", content: "evil" },
      ],
    ],
    [
      "a symlink below its own symlink",
      [
        { path: "a", type: "SymbolicLink", linkpath: "../outside" },
        { path: "a/x", type: "SymbolicLink", linkpath: "/etc/passwd" },
      ],
    ],
    ["a symlink that climbs", [{ path: "../outside/x", type: "SymbolicLink", linkpath: "y" }]],
    ["a hard link out of it", [{ path: "x", type: "Link", linkpath: "../outside/secret" }]],
    ["a device", [{ path: "null", type: "CharacterDevice", devmaj: 1, devmin: 3 }]],
  ])("can't use %s, and that is told", async (_, entries) => {
    const leftOut = await unpackDirectory(archive(entries), target);
    expect(leftOut.length).toBeGreaterThan(0);
    expect(await outside()).toEqual(["outside"]);
  });

  it("stays below the target with absolute paths", async () => {
    await unpackDirectory(archive([{ path: join(dir, "outside/x"), type: "File", content: "evil" }]), target);
    expect(await outside()).toEqual(["outside"]);
  });

  it("does not write through a symlink that lies in the target already", async () => {
    await symlink("../outside", join(target, "a"));
    await unpackDirectory(archive([{ path: "a/x", type: "File", content: "evil" }]), target);
    expect(await outside()).toEqual(["outside"]);
  });
});

describe("an archive", () => {
  it("is unpacked with modes and symlinks; what is there is replaced", async () => {
    await writeFile(join(target, "old"), "something longer");
    await symlink("elsewhere", join(target, "link"));
    const leftOut = await unpackDirectory(
      archive([
        { path: "sub/", type: "Directory", mode: 0o750 },
        { path: "sub/x", type: "File", mode: 0o4777, content: "x" },
        { path: "old", type: "File", content: "new" },
        { path: "link", type: "SymbolicLink", linkpath: "/etc/passwd" },
      ]),
      target,
    );
    expect(leftOut).toEqual([]);
    expect(await readFile(join(target, "old"), "utf8")).toBe("new");
    expect(await readlink(join(target, "link"))).toBe("/etc/passwd");
    const modes = await Promise.all(
      ["sub", "sub/x"].map(async (path) => (await stat(join(target, path))).mode & 0o7777),
    );
    expect(modes).toEqual([0o750, 0o777]);
  });

  it("that is cut off fails", async () => {
    const entries = [{ path: "x", type: "File" as const, size: 5000, content: "too little" }];
    await expect(unpackDirectory(archive(entries, false), target)).rejects.toThrow(/[Tt]runcated/);
  });
});
