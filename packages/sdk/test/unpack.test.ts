import { access, mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Header } from "tar";
import { beforeEach, expect, it } from "vitest";
import { local } from "../src/host/local-node.ts";

let dir: string;
let target: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "br-unpack-"));
  target = join(dir, "target");
  await mkdir(join(dir, "outside"));
  return () => rm(dir, { recursive: true, force: true });
});

interface Entry {
  readonly path: string;
  readonly type?: "File" | "SymbolicLink" | "Link" | "CharacterDevice";
  readonly linkpath?: string;
  readonly mode?: number;
}

async function* tarOf(...entries: Entry[]): AsyncGenerator<Uint8Array> {
  for (const { type = "File", mode = 0o644, ...entry } of entries) {
    const size = type === "File" ? 4 : 0;
    const block = Buffer.alloc(size === 0 ? 512 : 1024);
    new Header({ ...entry, type, mode, size, mtime: new Date(0), uid: 0, gid: 0 }).encode(block, 0);
    if (size > 0) block.write("evil", 512);
    yield block;
  }
  yield new Uint8Array(1024);
}

const hostile: Record<string, (outside: string) => Entry[]> = {
  "a name that climbs": () => [{ path: "../outside/evil" }],
  "a link to climb over": (outside) => [
    { path: "link", type: "SymbolicLink", linkpath: outside },
    { path: "link/evil" },
  ],
  "a relative link to climb over": () => [
    { path: "link", type: "SymbolicLink", linkpath: "../outside" },
    { path: "link/evil" },
  ],
  "a hard link to what is outside": () => [{ path: "hard", type: "Link", linkpath: "../outside" }],
};

for (const [what, entries] of Object.entries(hostile)) {
  it(`a box's tar with ${what} touches nothing outside of the directory`, async () => {
    const outside = join(dir, "outside");
    await local.unpack(target, tarOf(...entries(outside))).catch(() => undefined);
    expect(await readdir(outside)).toEqual([]);
    expect((await readdir(dir)).sort()).toEqual(["outside", "target"]);
  });
}

it("makes no devices, and keeps no set-user-id bit", async () => {
  await local.unpack(target, tarOf({ path: "tool", mode: 0o4755 }));
  expect((await stat(join(target, "tool"))).mode & 0o7777).toBe(0o755);
  await local.unpack(target, tarOf({ path: "null", type: "CharacterDevice" })).catch(() => undefined);
  await expect(access(join(target, "null"))).rejects.toMatchObject({ code: "ENOENT" });
});

it("says that something is no tar", async () => {
  const noTar = async function* () {
    yield new TextEncoder().encode("x".repeat(2048));
  };
  await expect(local.unpack(target, noTar())).rejects.toMatchObject({ tarCode: expect.stringMatching("TAR_") });
});
