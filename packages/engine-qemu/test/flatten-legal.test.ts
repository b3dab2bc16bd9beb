import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  cat,
  dir,
  file,
  flatten,
  gnuTar,
  hardlink,
  type LayerEntry,
  layerTar,
  list,
  scratchDir,
  symlink,
} from "./support/flatten-layers.ts";

/** A header from before ustar: no magic, and anything at all where that has devices and the prefix. */
const v7 = (entry: LayerEntry): LayerEntry => ({ ...entry, patch: (header) => header.fill("?", 257) });

/** A header of GNU tar's own: times of access and change where ustar has the prefix. */
const gnu = (entry: LayerEntry): LayerEntry => ({
  ...entry,
  patch: (header) => {
    header.write("ustar  \0", 257, "latin1");
    header.write("14371573463\x0014371573463\0", 345, "latin1");
  },
});

const field = (at: number, text: string) => (header: Buffer) => void header.write(text, at, "latin1");

/** A number as GNU writes what octal digits have no room for. */
const binary = (at: number, width: number, value: number) => (header: Buffer) => {
  header.fill(0, at, at + width);
  header[at] = 0x80;
  header.writeUInt32BE(value, at + width - 4);
};

/** What an image may hold, each with what a box finds of it: `undefined` for nothing. All of it is one image, flattened once. */
const cases: [string, readonly LayerEntry[][], Record<string, string | undefined>][] = [
  ["a header from before ustar", [[v7(file("v7"))]], { v7: "-rw-r--r-- 0/0 2" }],
  ["a directory from before ustar, told by its name", [[v7(file("v7d/", ""))]], { v7d: "drw-r--r-- 0/0" }],
  ["a header of GNU tar's own", [[gnu(file("gnu"))]], { gnu: "-rw-r--r-- 0/0 3" }],
  [
    "a name in two parts",
    [[file("tail", "x", { patch: field(345, "us/tar") })]],
    { "us/tar/tail": "-rw-r--r-- 0/0 1" },
  ],
  ["ids in binary", [[file("bin", "x", { patch: binary(108, 8, 3_000_000) })]], { bin: "-rw-r--r-- 3000000/0 1" }],
  ["a size in binary", [[file("big", "12345", { patch: binary(124, 12, 5) })]], { big: "-rw-r--r-- 0/0 5" }],
  [
    "numbers filled up with spaces",
    [[file("sp", "x", { patch: field(108, "   17 \0\0") })]],
    { sp: "-rw-r--r-- 15/0 1" },
  ],
  ["numbers behind NULs", [[file("nul", "x", { patch: field(108, "\0\0\x0017 \0\0") })]], { nul: "-rw-r--r-- 15/0 1" }],
  ["an empty number", [[file("none", "x", { patch: field(108, "\0\0\0\0\0\0\0\0") })]], { none: "-rw-r--r-- 0/0 1" }],
  ["a contiguous file", [[file("contiguous", "x", { flag: "7" })]], { contiguous: "-rw-r--r-- 0/0 1" }],
  ["a file of type NUL", [[file("typeless", "x", { flag: "\0" })]], { typeless: "-rw-r--r-- 0/0 1" }],
  [
    "PAX records without a value: the header holds",
    [[file("kept", "x", { uid: 7, pax: { path: "", linkpath: "", uid: "", gid: "", size: "", mtime: "" } })]],
    { kept: "-rw-r--r-- 7/0 1" },
  ],
  [
    "an extended attribute without a value",
    [[file("xa", "x", { pax: { "SCHILY.xattr.user.a": "" } })]],
    { xa: "-rw-r--r-- 0/0 1" },
  ],
  [
    "a header for all that follows is passed over",
    [[{ name: "pax_global_header", flag: "g", content: "17 comment=x y z\n" }, file("after-global", "x")]],
    { "after-global": "-rw-r--r-- 0/0 1", pax_global_header: undefined },
  ],
  [
    "hard links to what is no file",
    [[symlink("l1", "x"), hardlink("l2", "l1"), { name: "p1", flag: "6" }, hardlink("p2", "p1")]],
    { l2: "lrwxrwxrwx 0/0 -> x", p2: expect.stringMatching(/^prw-r--r-- 0\/0/) },
  ],
  [
    "hard links as AUFS kept them",
    [[file(".wh..wh.plnk/12.34", "aufs"), hardlink("a1", ".wh..wh.plnk/12.34"), hardlink("a2", "/.wh..wh.plnk/12.34")]],
    { a1: "-rw-r--r-- 0/0 4", a2: "-rw-r--r-- 0/0 4", ".wh..wh.plnk": undefined },
  ],
  [
    "a name twice in a layer: the last one counts",
    [
      [
        file("twice", "first"),
        file("twice", "2nd"),
        file("other"),
        dir("other"),
        dir("d2", { mode: 0o700 }),
        dir("d2"),
      ],
    ],
    { twice: "-rw-r--r-- 0/0 3", other: "drwxr-xr-x 0/0", d2: "drwxr-xr-x 0/0" },
  ],
  [
    "a hard link to an earlier file of a name that has another now",
    [[file("h", "old"), hardlink("h-old", "h"), file("h", "newer")]],
    { h: "-rw-r--r-- 0/0 5", "h-old": "-rw-r--r-- 0/0 3" },
  ],
  [
    "whiteouts that are links of each other",
    [
      [file("w/a"), file("w/b"), file("w/c")],
      [file("w/.wh.a", ""), hardlink("w/.wh.b", "w/.wh.a")],
    ],
    { "w/a": undefined, "w/b": undefined, "w/c": "-rw-r--r-- 0/0 3" },
  ],
  [
    "a name of 255 bytes",
    [[file("x", "x", { pax: { path: "n".repeat(255) } })]],
    { ["n".repeat(255)]: "-rw-r--r-- 0/0 1" },
  ],
  [
    "a device of the highest number",
    [[{ name: "dev", flag: "3", dev: [4095, 255] }]],
    { dev: "crw-r--r-- 0/0 4095,255" },
  ],
  ["no mode at all", [[file("m0", "x", { mode: 0 })]], { m0: "---------- 0/0 1" }],
];

const sparseBytes = 3 * 1024 * 1024;
/** Enough stretches for the old format to need more than its header. */
const stretches = Array.from({ length: 30 }, (_, index) => index * 65_536);

const sparseFormats = {
  "old GNU": ["--format=gnu"],
  "PAX 0.0": ["--format=posix", "--sparse-version=0.0"],
  "PAX 0.1": ["--format=posix", "--sparse-version=0.1"],
  "PAX 1.0": ["--format=posix", "--sparse-version=1.0"],
};

/** A directory with a file that is mostly holes, one that is nothing else, and a second name. */
async function sparseLayer(name: string, options: readonly string[]): Promise<Buffer> {
  const root = await scratchDir();
  const inside = join(root, name);
  await mkdir(inside);
  const long = join(inside, "n".repeat(150));
  await using handle = await open(long, "w");
  await handle.truncate(sparseBytes);
  for (const at of stretches) await handle.write(`at ${at}`, at);
  await handle.sync();
  await writeFile(join(inside, "zeros"), "");
  await using zeros = await open(join(inside, "zeros"), "r+");
  await zeros.truncate(sparseBytes);
  return await gnuTar(root, "--sparse", "--hole-detection=raw", ...options);
}

test("an image with everything that is legal", async () => {
  const depth = Math.max(...cases.map(([, layers]) => layers.length));
  const layers = Array.from({ length: depth }, (_, index) => layerTar(cases.flatMap(([, each]) => each[index] ?? [])));
  for (const [name, options] of Object.entries(sparseFormats)) layers.push(await sparseLayer(name, options));
  // A blob of no bytes is a layer of nothing, and so is one of zeros.
  const image = await flatten([Buffer.alloc(0), ...layers, Buffer.alloc(10_240)]);
  const found = await list(image);
  for (const [title, , expected] of cases) {
    for (const [path, entry] of Object.entries(expected)) expect.soft(found[path], title).toEqual(entry);
  }
  const content = Buffer.alloc(sparseBytes);
  for (const at of stretches) content.write(`at ${at}`, at);
  for (const name of Object.keys(sparseFormats)) {
    const sparse = await cat(image, `${name}/${"n".repeat(150)}`);
    expect.soft(sparse === content.toString(), `a sparse file (${name})`).toBe(true);
    expect.soft(found[`${name}/zeros`], `a file of nothing but a hole (${name})`).toBe(`-rw-r--r-- 0/0 ${sparseBytes}`);
  }
});

test("an image without layers is an empty root", async () => {
  expect(await list(await flatten([]))).toEqual({ "": "drwxr-xr-x 0/0" });
});
