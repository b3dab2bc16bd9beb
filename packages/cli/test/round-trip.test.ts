import { execFileSync } from "node:child_process";
import { chown, mkdir, mkdtemp, open, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HostDirectory } from "../src/copy/host-directory.ts";
import { walkHostTree } from "../src/copy/host-tree.ts";
import { packTree, repack } from "../src/copy/pack.ts";
import { type TarEntry, tarEntries } from "../src/copy/tar/read.ts";
import { unpackDirectory } from "../src/copy/unpack.ts";
import { type RealAgent, startAgent } from "./support/agent.ts";
import { Dice, growTree, snapshot } from "./support/trees.ts";

let dir: string;
let agent: RealAgent;
const inBox = (path: string) => join(dir, "box", path);
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "br-round-trip-"));
  await mkdir(join(dir, "box"));
  agent = await startAgent(join(dir, "box"));
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const { signal } = new AbortController();
const isRoot = process.getuid?.() === 0;

async function upload(from: string, to: string): Promise<void> {
  await using root = await HostDirectory.open(from);
  const options = { rootName: undefined, count: (content: AsyncIterable<Uint8Array>) => content };
  const tree = packTree(root, { ...options, onLeftOut: () => undefined });
  const owner = { user: `${process.getuid?.()}:${process.getgid?.()}`, of: "new" } as const;
  await agent.files.writeArchive(to, Readable.from(tree), { signal, owner });
}

const complaints: string[] = [];
async function download(path: string): Promise<AsyncIterable<TarEntry>> {
  const tar = await agent.files.readArchive(path, { signal, full: true });
  return tarEntries(tar, { onIncomplete: (name, reason) => complaints.push(`${name}: ${reason}`) });
}

async function downloadTo(path: string, to: string): Promise<string[]> {
  await mkdir(to);
  return await unpackDirectory(await download(path), await HostDirectory.open(to));
}

describe("a random tree", () => {
  it.each(Array.from({ length: 25 }, (_, seed) => [seed]))(
    "comes into a box, from there to another place of it, and back as it was (seed %i)",
    async (seed) => {
      const [source, back] = [join(dir, `source-${seed}`), join(dir, `back-${seed}`)];
      await mkdir(source);
      await growTree(new Dice(seed), source);
      const options = { modeMask: 0o777, owners: false };
      const before = await snapshot(source, options);
      await upload(source, `/in-${seed}`);
      expect(await snapshot(inBox(`in-${seed}`), options)).toEqual(before);
      const moved = repack(await download(`/in-${seed}`), { rootName: "r", count: (content) => content, holes: true });
      await agent.files.writeArchive(`/moved-${seed}`, Readable.from(moved), { signal });
      expect(await snapshot(inBox(`moved-${seed}/r`), { modeMask: 0o7777, owners: true })).toEqual(
        await snapshot(inBox(`in-${seed}`), { modeMask: 0o7777, owners: true }),
      );
      expect(await downloadTo(`/moved-${seed}/r`, back)).toEqual([]);
      expect(await snapshot(back, options)).toEqual(before);
      expect(complaints).toEqual([]);
      for (const path of [source, back, inBox(`in-${seed}`), inBox(`moved-${seed}`)]) {
        await rm(path, { recursive: true, force: true });
      }
    },
  );
});

describe("a file", () => {
  it("that has holes takes no more room in the box and back here, and is the same", async () => {
    const source = join(dir, "holes");
    await mkdir(source);
    await using file = await open(join(source, "f"), "w");
    await file.truncate(20_000_003);
    await file.write("begin", 0);
    await file.write("middle", 10_000_000);
    await upload(source, "/holes");
    await downloadTo("/holes", join(dir, "holes-back"));
    for (const path of [inBox("holes/f"), join(dir, "holes-back/f")]) {
      const { size, blocks } = await stat(path);
      expect(size).toBe(20_000_003);
      expect(blocks * 512).toBeLessThan(1_000_000);
      expect((await readFile(path)).equals(await readFile(join(source, "f")))).toBe(true);
    }
  });

  it("with holes is whole, zeros and all, for readers that know none", async () => {
    const plain = repack(await download("/holes"), { rootName: undefined, count: (content) => content, holes: false });
    let bytes = 0;
    for await (const { header, content } of tarEntries(plain)) {
      expect(header.data).toBeUndefined();
      for await (const chunk of content) bytes += chunk.length;
    }
    expect(bytes).toBe(20_000_003);
  });

  it.runIf(isRoot)("of an owner with a large number keeps it from box to box", async () => {
    await mkdir(inBox("owners"));
    for (const [name, uid] of [
      ["a", 262_144],
      ["b", 2_097_152],
      ["c", 1_000_660_000],
      ["d", 4_294_967_294],
    ] as const) {
      await writeFile(inBox(`owners/${name}`), name);
      await chown(inBox(`owners/${name}`), uid, uid - 1);
    }
    const tree = repack(await download("/owners"), { rootName: undefined, count: (content) => content, holes: true });
    await agent.files.writeArchive("/owners-copied", Readable.from(tree), { signal });
    const options = { modeMask: 0o7777, owners: true };
    expect(await snapshot(inBox("owners-copied"), options)).toEqual(await snapshot(inBox("owners"), options));
  });

  it("has its nanoseconds when it comes to this host", async () => {
    await mkdir(inBox("times/sub"), { recursive: true });
    const paths = ["times/it's\n", "times/sub/g", "times/sub"];
    for (const path of paths.slice(0, 2)) await writeFile(inBox(path), "x");

    for (const path of paths) execFileSync("touch", ["-d", "@1767323045.123456789", inBox(path)]);
    execFileSync("touch", ["-d", "@-1.000000001", inBox("times/sub/g")]);
    await downloadTo("/times", join(dir, "times-back"));
    const time = async (path: string) => (await stat(path, { bigint: true })).mtimeNs;
    for (const path of paths)
      expect(await time(join(dir, path.replace("times", "times-back")))).toBe(await time(inBox(path)));
  });
});

describe("a directory of this host that somebody changes while it is read", () => {
  it("gives nothing of what symlinks in it lead to", async () => {
    const [source, outside] = [join(dir, "swapped"), join(dir, "outside")];
    for (const path of [join(source, "d"), outside]) await mkdir(path, { recursive: true });
    await writeFile(join(outside, "f"), "the secret");
    await writeFile(join(source, "g"), "harmless");
    await using root = await HostDirectory.open(source);
    const seen: string[] = [];
    for await (const { name, directory, last, stat } of walkHostTree(root, () => undefined)) {
      seen.push(name);
      await rename(join(source, last), join(dir, `was-${last}`));
      await symlink(stat.isDirectory() ? outside : join(outside, "f"), join(source, last));
      if (stat.isFile()) await expect(directory.openFile(last, 0)).rejects.toMatchObject({ code: "HOST_FILE" });
    }
    expect(seen).toEqual(["d", "g"]);
  });
});
