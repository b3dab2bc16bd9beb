import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HostDirectory } from "../src/copy/host-directory.ts";
import type { EntryType } from "../src/copy/tar/header.ts";
import { tarEntries } from "../src/copy/tar/read.ts";
import { tarEnd, tarEntry } from "../src/copy/tar/write.ts";
import { unpackDirectory } from "../src/copy/unpack.ts";
import { Dice, snapshot } from "./support/trees.ts";

let dir: string;
let target: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "br-hostile-"));
  target = join(dir, "target");
  await mkdir(join(dir, "outside/deep"), { recursive: true });
  await writeFile(join(dir, "outside/secret"), "secret", { mode: 0o600 });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** What an archive finds: a file, a directory, and symlinks that lead out. */
async function freshTarget(): Promise<void> {
  await mkdir(join(target, "there"), { recursive: true });
  await writeFile(join(target, "file"), "kept");
  await symlink("../outside", join(target, "climbs"));
  await symlink(join(dir, "outside"), join(target, "there/absolute"));
  await symlink("../outside/secret", join(target, "to-file"));
  await chmod(target, 0o750);
}

const types: readonly [EntryType, ...EntryType[]] = [
  "file",
  "link",
  "symlink",
  "directory",
  "fifo",
  "character-device",
  "block-device",
];
const parts: readonly [string, ...string[]] = [
  "..",
  ".",
  "",
  "a",
  "b",
  "there",
  "file",
  "climbs",
  "to-file",
  "absolute",
  "secret",
  "outside",
  "deep",
  "\xff\xfe",
  "x\0y",
];

/** An archive of names and links that lead everywhere, one in four of them damaged. */
async function hostileTar(dice: Dice): Promise<Buffer> {
  const name = () => {
    const path = Array.from({ length: 1 + dice.below(4) }, () => dice.pick(parts)).join("/");
    return dice.below(8) === 0 ? `${dir}/${path}` : dice.below(40) === 0 ? "n/".repeat(60) : path;
  };
  const pieces: Uint8Array[] = [];
  for (let count = 1 + dice.below(12); count > 0; count--) {
    const content = Buffer.alloc(dice.pick([0, 5, 512, 70_000]), "evil");
    const type = dice.pick(types);
    const entry = {
      name: name(),
      type,
      linkName: name(),
      mode: dice.below(0o10000),
      mtimeNs: BigInt(dice.below(2 ** 31)),
    };
    const device = { devMajor: 1, devMinor: 3, uid: dice.below(2 ** 32), gid: dice.below(2 ** 32) };
    const holes =
      dice.below(3) === 0 && type === "file" ? { data: [{ offset: dice.below(99), length: content.length }] } : {};
    const sizeBytes = type === "file" ? content.length + ("data" in holes ? 200 : 0) : 0;
    const bytes = tarEntry(
      { ...entry, ...device, ...holes, sizeBytes },
      type === "file" ? Readable.from([content]) : undefined,
    );
    pieces.push(await buffer(bytes));
  }
  const tar = Buffer.concat([...pieces, tarEnd]);
  if (dice.below(4) === 0)
    for (let hits = 1 + dice.below(5); hits > 0; hits--) tar[dice.below(tar.length)] = dice.below(256);
  return dice.below(8) === 0 ? tar.subarray(0, dice.below(tar.length)) : tar;
}

async function* inPieces(dice: Dice, bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + dice.below(dice.pick([300, 5000, 200_000]));
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

async function unpack(chunks: AsyncIterable<Uint8Array>): Promise<unknown> {
  const unpacked = unpackDirectory(tarEntries(chunks), await HostDirectory.open(target));
  return await unpacked.catch((error: unknown) => error);
}

const everything = { modeMask: 0o7777, owners: true };
const surroundings = async () => {
  const all = await snapshot(dir, everything);
  for (const name of all.keys()) if (name === "target" || name.startsWith("target/")) all.delete(name);
  return all;
};

/** What must not come out of a box: programs that run as somebody else, devices, files of others. */
async function illegal(): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(target, { recursive: true })) {
    const stat = await lstat(join(target, name)).catch(() => undefined);
    if (stat === undefined) continue;
    const isKnown = stat.isFile() || stat.isDirectory() || stat.isSymbolicLink();
    if (!isKnown || (!stat.isSymbolicLink() && (stat.mode & 0o7000) !== 0) || stat.uid !== process.getuid?.())
      found.push(name);
  }
  return found;
}

describe("a hostile archive", () => {
  it.each(Array.from({ length: 8 }, (_, seed) => [seed]))(
    "changes nothing outside of the directory, nor that itself (25 of them, seed %i)",
    async (seed) => {
      const dice = new Dice(1000 + seed);
      const before = await surroundings();
      for (let turn = 0; turn < 25; turn++) {
        await freshTarget();
        const result = await unpack(inPieces(dice, await hostileTar(dice)));
        if (!Array.isArray(result)) expect(result).toBeInstanceOf(Error);
        expect((await lstat(target)).mode & 0o7777).toBe(0o750);
        expect(await illegal()).toEqual([]);
        expect(await readFile(join(dir, "outside/secret"), "utf8")).toBe("secret");
        expect((await readdir(target)).filter((name) => /\.[0-9a-f]{12}$/.test(name))).toEqual([]);
        await rm(target, { recursive: true });
      }
      expect(await surroundings()).toEqual(before);
    },
  );

  it.each([
    ["between two files of a directory", ["d/one", "swap", "d/secret"]],
    ["while it is somewhere else", ["d/secret", "other/x", "swap", "d/secret", "d/deep/"]],
    ["before times and modes are set", ["d/secret", "d/deep/", "other/x", "swap"]],
    ["before they are set, from within", ["d/deep/secret", "d/deep/", "swap"]],
  ])("changes nothing outside when a symlink takes the place of its directory %s", async (_, names) => {
    await freshTarget();
    await writeFile(join(dir, "outside/deep/secret"), "secret");
    const before = await surroundings();
    // A stream is read as far as it is needed: what happens here happens between two entries.
    const pack = async function* () {
      for (const name of names) {
        const header = { name, mode: 0o777, mtimeNs: 1_234_567_891n };
        if (name === "swap") {
          await rename(join(target, "d"), join(target, "moved"));
          await symlink("../outside", join(target, "d"));
        } else if (name.endsWith("/")) yield* tarEntry({ ...header, type: "directory" });
        else yield* tarEntry({ ...header, type: "file", sizeBytes: 4 }, Readable.from([Buffer.from("evil")]));
      }
      yield tarEnd;
    };
    await unpack(pack());
    expect(await surroundings()).toEqual(before);
  });
});

describe("a file of zeros and holes that claims to be larger than anything", () => {
  it.each([
    ["a map without an end", "99999999\n0\n0\n"],
    ["a map that is no number", "x\n"],
    ["a piece behind the end", "1\n1000000\n5\n"],
    ["pieces that overlap", "2\n0\n5\n3\n5\n"],
    ["one line that does not end", "1".repeat(4000)],
  ])("is refused: %s", async (_, map) => {
    await freshTarget();
    const content = Buffer.alloc(8192);
    content.write(map, "latin1");
    const pax = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n26 GNU.sparse.realsize=1000\n21 GNU.sparse.name=s\n";
    const tar = await buffer(
      tarEntry(
        { name: "s", type: "file", mode: 0o644, mtimeNs: 0n, sizeBytes: content.length },
        Readable.from([content]),
      ),
    );
    const paxEntry = await buffer(
      tarEntry(
        { name: "p", type: "file", mode: 0o644, mtimeNs: 0n, sizeBytes: pax.length },
        Readable.from([Buffer.from(pax)]),
      ),
    );
    paxEntry[156] = 0x78;
    paxEntry.write("        ", 148, "latin1");
    const sum = paxEntry.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    paxEntry.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    const result = await unpack(Readable.from([paxEntry, tar, tarEnd]));
    expect(result).toMatchObject({ message: expect.stringMatching(/map of a file|PAX record/) });
    expect(await readdir(target)).not.toContain("s");
  });
});
