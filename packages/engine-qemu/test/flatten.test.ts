import { execFile } from "node:child_process";
import { lstat, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  cat,
  dir,
  extract,
  file,
  flatten,
  hardlink,
  type LayerEntry,
  layerTar,
  list,
  paths,
  symlink,
} from "./support/flatten-layers.ts";

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;

const layers = (...all: readonly (readonly LayerEntry[])[]) => all.map(layerTar);

describe("an upper layer changes what lower ones have", () => {
  test.each<[string, LayerEntry[][], string[]]>([
    ["adds to a directory", [[dir("a"), file("a/1")], [file("a/2")]], ["a", "a/1", "a/2"]],
    ["whites out a file", [[file("a/1"), file("a/2")], [file("a/.wh.1", "")]], ["a", "a/2"]],
    ["whites out a directory with all in it", [[file("a/b/1"), file("c")], [file(".wh.a", "")]], ["c"]],
    ["whites out what is not there", [[file("a/1")], [file("a/.wh.x", ""), file("b/.wh.y", "")]], ["a", "a/1"]],
    ["whites out and puts back", [[file("a/b/1")], [file(".wh.a", ""), file("a/b/2")]], ["a", "a/b", "a/b/2"]],
    ["puts back and whites out", [[file("a/b/1")], [file("a/b/2"), file(".wh.a", "")]], ["a", "a/b", "a/b/2"]],
    ["whites out its own file: no effect", [[], [file("a"), file(".wh.a", "")]], ["a"]],
    [
      "makes a directory opaque",
      [
        [file("a/1"), file("a/b/2")],
        [dir("a"), file("a/.wh..wh..opq", ""), file("a/3")],
      ],
      ["a", "a/3"],
    ],
    ["makes it opaque after its own files", [[file("a/1")], [file("a/3"), file("a/.wh..wh..opq", "")]], ["a", "a/3"]],
    ["makes the root opaque", [[file("a/1")], [file(".wh..wh..opq", ""), file("b")]], ["b"]],
    ["keeps AUFS's own files out", [[file(".wh..wh.aufs", ""), file(".wh..wh.plnk/1"), file("a")]], ["a"]],
    ["replaces a directory by a file", [[file("a/1")], [file("a")]], ["a"]],
    ["replaces a file by a directory", [[file("a")], [dir("a"), file("a/1")]], ["a", "a/1"]],
    [
      "replaces a symlink to a directory by a directory",
      [
        [file("d/1"), symlink("a", "d")],
        [dir("a"), file("a/2")],
      ],
      ["a", "a/2", "d", "d/1"],
    ],
    [
      "writes through a symlinked parent",
      [[dir("usr"), dir("usr/lib"), symlink("lib", "usr/lib")], [file("lib/1")]],
      ["lib", "usr", "usr/lib", "usr/lib/1"],
    ],
    [
      "writes through an absolute symlink, inside the root",
      [[dir("usr/lib"), symlink("lib", "/usr/lib")], [file("lib/1")]],
      ["lib", "usr", "usr/lib", "usr/lib/1"],
    ],
    [
      "writes through a symlink with ..",
      [[dir("a/b"), dir("c"), symlink("a/b/l", "../../c")], [file("a/b/l/1")]],
      ["a", "a/b", "a/b/l", "c", "c/1"],
    ],
    [
      "writes through a symlink whose target is missing",
      [[symlink("lib", "usr/lib")], [file("lib/1")]],
      ["lib", "usr", "usr/lib", "usr/lib/1"],
    ],
    [
      "whites out through a symlinked parent",
      [[file("usr/lib/1"), symlink("lib", "usr/lib")], [file("lib/.wh.1", "")]],
      ["lib", "usr", "usr/lib"],
    ],
    ["replaces a symlink, not what it points to", [[file("a"), symlink("b", "a")], [file("b", "new")]], ["a", "b"]],
    ["has no entries at all", [[file("a")], []], ["a"]],
    ["makes parents that no layer mentions", [[file("x/y/z")]], ["x", "x/y", "x/y/z"]],
    [
      "names entries with ./, / and //",
      [[dir("./"), dir("./a/"), file("./a/1"), file("/a/2"), file("a//3")]],
      ["a", "a/1", "a/2", "a/3"],
    ],
  ])("%s", async (_, all, expected) => {
    expect(await paths(await flatten(layers(...all)))).toEqual(expected);
  });

  test("the uppermost content wins, and metadata alone can change", async () => {
    const image = await flatten(
      layers(
        [dir("d", { mode: 0o755 }), file("d/kept"), file("f", "old", { mode: 0o600, uid: 1 })],
        [dir("d", { mode: 0o2750, uid: 5, gid: 6 }), file("f", "new", { mode: 0o644, uid: 2 })],
      ),
    );
    expect(await list(image)).toMatchObject({
      d: "drwxr-s--- 5/6",
      "d/kept": "-rw-r--r-- 0/0 6",
      f: "-rw-r--r-- 2/0 3",
    });
    expect(await cat(image, "f")).toBe("new");
  });
});

describe("what a tar can say of a file arrives", () => {
  test("owners, modes with setuid, setgid and sticky, devices, fifos, symlinks and the root's own mode", async () => {
    const image = await flatten(
      layers([
        dir("./", { mode: 0o1711 }),
        file("su", "x", { mode: 0o4755 }),
        file("wall", "x", { mode: 0o2711, gid: 5 }),
        dir("tmp", { mode: 0o1777 }),
        { name: "null", flag: "3", mode: 0o666, dev: [1, 3] },
        { name: "disk", flag: "4", mode: 0o660, gid: 6, dev: [259, 200] },
        { name: "pipe", flag: "6", mode: 0o620 },
        symlink("link", "../out/of/here"),
        file("big ids", "x", { pax: { uid: "3000000", gid: "4294967294" } }),
      ]),
    );
    expect(await list(image)).toEqual({
      "": "drwx--x--t 0/0",
      su: "-rwsr-xr-x 0/0 1",
      wall: "-rwx--s--x 0/5 1",
      tmp: "drwxrwxrwt 0/0",
      null: "crw-rw-rw- 0/0 1,3",
      disk: "brw-rw---- 0/6 259,200",
      pipe: expect.stringMatching(/^prw--w---- 0\/0/),
      link: "lrwxrwxrwx 0/0 -> ../out/of/here",
      "big ids": "-rw-r--r-- 3000000/4294967294 1",
    });
  });

  test("modification times, also ones with fractions and from before 1970", async () => {
    const image = await flatten(
      layers([
        file("plain", "x", { mtime: 1_234_567_890 }),
        file("pax", "x", { pax: { mtime: "1600000000.75" } }),
        file("early", "x", { pax: { mtime: "-5" } }),
        file("late", "x", { pax: { mtime: "1e300" } }),
      ]),
    );
    const root = await extract(image);
    const seconds = async (name: string) => Math.floor((await lstat(join(root, name))).mtimeMs / 1000);
    expect([await seconds("plain"), await seconds("pax"), await seconds("early"), await seconds("late")]).toEqual([
      1_234_567_890, 1_600_000_000, 0, 0xffff_ffff,
    ]);
  });

  test("long names and targets, in PAX and in GNU form, and odd characters", async () => {
    const long = `${"d".repeat(120)}/${"f".repeat(200)}`;
    const odd = "späce \t\"quoted\" 'and' \\ $(x) *";
    const gnu = (flag: string, content: string): LayerEntry => ({
      name: "././@LongLink",
      flag,
      content: `${content}\0`,
    });
    const image = await flatten(
      layers([
        file("short", "pax", { pax: { path: `pax/${long}` } }),
        { ...symlink("paxlink", "short"), pax: { linkpath: `target/${long}` } },
        gnu("L", `gnu/${long}`),
        file("short", "gnu"),
        gnu("K", `gnu/${long}`),
        hardlink("gnulink", "short"),
        file(odd),
      ]),
    );
    const root = await extract(image);
    expect(await readFile(join(root, "pax", long), "utf8")).toBe("pax");
    expect(await readFile(join(root, "gnulink"), "utf8")).toBe("gnu");
    expect(await readFile(join(root, odd), "utf8")).toBe(odd);
    expect((await list(image)).paxlink).toBe(`lrwxrwxrwx 0/0 -> target/${long}`);
  });

  test("names that are not UTF-8 keep their bytes", async () => {
    const name = Buffer.from([0x66, 0xff, 0xe9]);
    const image = await flatten(layers([file("short", "x", { pax: { path: name } })]));
    expect(await readdir(await extract(image), { encoding: "buffer" })).toEqual([name]);
  });

  test.skipIf(!isRoot)(
    `extended attributes keep their bytes${isRoot ? "" : " (needs root to unpack them)"}`,
    async () => {
      const capability = Buffer.from("0100000200200000000000000a3d000000000000", "hex");
      const image = await flatten(
        layers([
          // The second is what an overlayfs noted for itself: it would mean something to that of the box.
          dir("d", { pax: { "SCHILY.xattr.user.on-dir": "yes", "SCHILY.xattr.trusted.overlay.opaque": "y" } }),
          file("ping", "x", {
            pax: { "SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.b": "two\nlines" },
          }),
          file("acl", "x", { pax: { "SCHILY.xattr.system.posix_acl_access": "not storable in squashfs" } }),
        ]),
      );
      const options = ["-C", await extract(image), "--format=pax", "--xattrs", "--xattrs-include=*", "-cf", "-", "."];
      const { stdout } = await run("tar", options, { encoding: "buffer" });
      for (const [key, value] of [
        ["user.on-dir", Buffer.from("yes")],
        ["security.capability", capability],
        ["user.b", Buffer.from("two\nlines")],
      ] as const) {
        expect(stdout.includes(Buffer.concat([Buffer.from(`SCHILY.xattr.${key}=`), value, Buffer.from("\n")]))).toBe(
          true,
        );
      }
      expect(stdout.includes("trusted.overlay")).toBe(false);
      expect(await cat(image, "acl")).toBe("x");
    },
  );

  test("hard links stay hard links: within a layer, to a lower layer, across a replaced name, and of empty files", async () => {
    const image = await flatten(
      layers(
        [
          file("a", "one"),
          hardlink("b", "a"),
          file("empty", ""),
          hardlink("empty2", "./empty"),
          file("gone", "kept by its link"),
        ],
        [hardlink("c", "/a"), hardlink("sub/kept", "gone"), file(".wh.gone", ""), file("a", "replaced")],
      ),
    );
    const root = await extract(image);
    const inode = async (name: string) => (await lstat(join(root, name))).ino;
    expect(await inode("c")).toBe(await inode("b"));
    expect(await inode("a")).not.toBe(await inode("b"));
    expect(await inode("empty")).toBe(await inode("empty2"));
    expect(await readFile(join(root, "b"), "utf8")).toBe("one");
    expect(await readFile(join(root, "a"), "utf8")).toBe("replaced");
    expect(await readFile(join(root, "sub/kept"), "utf8")).toBe("kept by its link");
    expect((await lstat(join(root, "b"))).nlink).toBe(2);
  });

  test("a hard link whose header claims content has none", async () => {
    const image = await flatten(layers([file("a", "one"), { ...hardlink("b", "a"), size: 3 }, file("c")]));
    expect(await paths(image)).toEqual(["a", "b", "c"]);
  });
});

describe("layers come in any usual packing", () => {
  const content = "0123456789abcdef".repeat(100_000);
  test.each([
    ["not compressed", (tar: Buffer) => tar],
    ["gzip", (tar: Buffer) => gzipSync(tar)],
    [
      "gzip in several members",
      (tar: Buffer) => Buffer.concat([gzipSync(tar.subarray(0, 999)), gzipSync(tar.subarray(999))]),
    ],
    ["zstd", (tar: Buffer) => zstdCompressSync(tar)],
    [
      "zstd in several frames",
      (tar: Buffer) => Buffer.concat([zstdCompressSync(tar.subarray(0, 1024)), zstdCompressSync(tar.subarray(1024))]),
    ],
    ["without an end mark", (tar: Buffer) => tar.subarray(0, -1024)],
    ["with much behind the end mark", (tar: Buffer) => Buffer.concat([tar, Buffer.alloc(100_000)])],
  ])("%s", async (_, pack) => {
    const image = await flatten([pack(layerTar([file("big", content), file("small")]))]);
    expect((await readFile(join(await extract(image), "big"), "utf8")) === content).toBe(true);
    expect(await cat(image, "small")).toBe("small");
  });

  test("the same layers give the same file, byte for byte", async () => {
    const all = () => layers([dir("./"), file("a"), file("b/c")], [file("b/d"), hardlink("e", "a")]);
    const [first, second] = [await flatten(all()), await flatten(all())];
    expect((await readFile(first)).equals(await readFile(second))).toBe(true);
    expect(await readdir(dirname(first))).toEqual(["image.squashfs"]);
  });
});
