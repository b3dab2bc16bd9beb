import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { flattenImage } from "../src/flatten/flatten.ts";
import {
  dir,
  file,
  hardlink,
  type LayerEntry,
  layerTar,
  scratchDir,
  symlink,
  writeLayout,
} from "./support/flatten-layers.ts";

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const never = new AbortController().signal;

/** Flattening fails, and leaves nothing where the result would be. */
async function refusal(layers: readonly Buffer[]): Promise<unknown> {
  const out = await scratchDir();
  const layoutDir = await writeLayout(layers);
  const result = await flattenImage({ layoutDir, outFile: join(out, "image.squashfs"), signal: never }).catch(
    (error) => error,
  );
  expect(await readdir(out)).toEqual([]);
  return result;
}

/** PAX records of a sparse file of 10 bytes. */
const sparse = (major: string, map = "", size = "10") => ({
  "GNU.sparse.major": major,
  "GNU.sparse.minor": major === "1" ? "0" : "1",
  "GNU.sparse.realsize": size,
  ...(map === "" ? {} : { "GNU.sparse.map": map }),
});

describe("a layer that leaves the root, or makes no sense, is refused by layer and entry", () => {
  test.each<[string, LayerEntry[][], string, RegExp]>([
    ["a name with ..", [[file("../evil")]], "../evil", /its name leads out/],
    ["an absolute name with ..", [[file("/../evil")]], "/../evil", /its name leads out/],
    ["a name that climbs in the middle", [[file("a/../../evil")]], "a/../../evil", /its name leads out/],
    ["a directory with ..", [[dir("a/../..")]], "a/../..", /its name leads out/],
    ["a hard link to outside", [[hardlink("evil", "../../etc/passwd")]], "evil", /hard link target leads out/],
    [
      "a hard link through a symlink to outside",
      [[symlink("up", "../.."), hardlink("evil", "up/etc/passwd")]],
      "evil",
      /out of the image's root/,
    ],
    [
      "a parent that is a symlink to outside",
      [[symlink("up", "../../..")], [file("up/etc/cron.d/evil")]],
      "up/etc/cron.d/evil",
      /out of the image's root/,
    ],
    [
      "a symlink chain to outside",
      [[dir("a"), symlink("a/x", ".."), symlink("y", "a/x/..")], [file("y/evil")]],
      "y/evil",
      /out of the image's root/,
    ],
    ["a symlink loop as parent", [[symlink("a", "b"), symlink("b", "a"), file("a/x")]], "a/x", /loop/],
    ["a file as parent", [[file("a")], [file("a/b")]], "a/b", /not a directory/],
    ["a whiteout of ..", [[file("a/1")], [file("a/.wh...", "")]], "a/.wh...", /whiteout/],
    ["a whiteout of nothing", [[file(".wh.", "")]], ".wh.", /whiteout/],
    ["a hard link to nothing", [[hardlink("a", "missing")]], "a", /"missing" does not exist/],
    ["a hard link to a directory", [[dir("d"), hardlink("a", "d")]], "a", /is a directory/],
    ["a root that is a file", [[file("./", "")].map((entry) => ({ ...entry, flag: "2", link: "x" }))], "./", /root/],
    ["a name of 5,000 bytes", [[file("x", "", { pax: { path: "a/".repeat(2500) } })]], "a/a/", /longer than 4096/],
    ["a part of 300 bytes", [[file("x", "", { pax: { path: "n".repeat(300) } })]], "nnn", /255 bytes/],
    ["a name with NUL", [[file("x", "", { pax: { path: "a\0b" } })]], "a", /NUL/],
    ["a sparse file of a format to come", [[file("x", "", { pax: { "GNU.sparse.major": "2" } })]], "x", /sparse/],
    ["a sparse file without a size", [[file("x", "", { pax: sparse("0", "0,0", "x") })]], "x", /map .* malformed/],
    [
      "a sparse map that is no numbers",
      [[file("x", "a\n".repeat(300), { pax: sparse("1") })]],
      "x",
      /map .* malformed/,
    ],
    ["a sparse map that does not end", [[file("x", `99\n${"1\n".repeat(254)}`, { pax: sparse("1") })]], "x", /cut off/],
    ["a sparse map that lasts for ever", [[file("x", "1".repeat(2 ** 21), { pax: sparse("1") })]], "x", /too long/],
    ["sparse stretches out of order", [[file("x", "ab", { pax: sparse("0", "5,1,2,1") })]], "x", /map .* malformed/],
    ["a sparse stretch behind the end", [[file("x", "ab", { pax: sparse("0", "9,2") })]], "x", /map .* malformed/],
    [
      "less sparse content than its map says",
      [[file("x", "a", { pax: sparse("0", "1,2") })]],
      "x",
      /as long as its map/,
    ],
    ["a sparse file of 8 PB", [[file("x", "", { pax: sparse("0", "0,0", "9007199254740991") })]], "x", /more than/],
    ["an old sparse file without its map", [[file("x", "abc", { flag: "S" })]], "x", /sparse/],
    ["an unknown type", [[file("x", "", { flag: "Q" })]], "x", /type "Q"/],
    ["a negative size", [[file("x", "", { pax: { size: "-1" } })]], "x", /size/],
    ["a malformed PAX header", [[{ name: "p", flag: "x", content: "99 path=x\n" }, file("x")]], "", /PAX record/],
    ["a device that cannot be", [[{ name: "x", flag: "3", dev: [1, 0o7777777] }]], "x", /device number/],
    ["a symlink to nothing", [[symlink("x", "")]], "x", /symlink target/],
  ])("%s", async (_, layers, entry, reason) => {
    const digestAndEntry = new RegExp(`layer ${layers.length} \\(sha256:[0-9a-f]{64}\\)`);
    const error = await refusal(layers.map(layerTar));
    expect(error).toMatchObject({ code: "IMAGE_PULL_FAILED", message: expect.stringMatching(reason) });
    expect(error).toMatchObject({ message: expect.stringMatching(digestAndEntry) });
    expect(error).toMatchObject({ message: expect.stringContaining(entry) });
  });

  test("directories nested deeper than any path is long, through symlinks", async () => {
    const deep = "d/".repeat(1000);
    const steps = [0, 1, 2].flatMap((i): LayerEntry[] => [
      { ...symlink(`s${i}`, "x"), pax: { linkpath: `${i === 0 ? "" : `s${i - 1}/`}${deep}` } },
      file(`s${i}/f`),
    ]);
    expect(await refusal([layerTar(steps)])).toMatchObject({
      code: "IMAGE_PULL_FAILED",
      message: expect.stringMatching(/deeper|longer/),
    });
  });
});

describe("a damaged image is refused", () => {
  const good = layerTar([file("a", "x".repeat(100_000))]);
  test.each([
    ["random bytes", Buffer.alloc(5000, 7), /not a tar header/],
    ["cut in a content", good.subarray(0, 60_000), /truncated/],
    ["cut in a header", good.subarray(0, 300), /truncated/],
    ["compressed with xz", Buffer.from("fd377a585a000004e6d6b446", "hex"), /compressed with xz/],
    ["gzip cut short", gzipSync(good).subarray(0, 60), /unexpected end|truncated/],
    [
      "gzip damaged",
      Buffer.concat([gzipSync(good).subarray(0, 40), Buffer.alloc(500, 9)]),
      /invalid|incorrect|unexpected/,
    ],
  ])("%s", async (_, layer, reason) => {
    const error = await refusal([layerTar([file("ok")]), layer]);
    expect(error).toMatchObject({ code: "IMAGE_PULL_FAILED", message: expect.stringMatching(reason) });
    expect(error).toMatchObject({ message: expect.stringContaining("layer 2") });
  });

  test.each([
    [
      "changed",
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 600), Buffer.from("!"), bytes.subarray(601)]),
      /digest/,
    ],
    ["shorter", (bytes: Buffer) => bytes.subarray(0, 600), /has 600 bytes|truncated/],
  ])("a blob that was %s on the disk", async (_, spoil, reason) => {
    const layoutDir = await writeLayout([good]);
    const { manifests } = JSON.parse(await readFile(join(layoutDir, "index.json"), "utf8"));
    const blob = (digest: string) => join(layoutDir, "blobs", digest.replace(":", "/"));
    const [layer] = JSON.parse(await readFile(blob(manifests[0].digest), "utf8")).layers;
    await writeFile(blob(layer.digest), spoil(good));
    const outFile = join(await scratchDir(), "image.squashfs");
    await expect(flattenImage({ layoutDir, outFile, signal: never })).rejects.toMatchObject({
      code: "IMAGE_PULL_FAILED",
      message: expect.stringMatching(reason),
    });
  });

  test("a directory that is no layout", async () => {
    const outFile = join(await scratchDir(), "image.squashfs");
    await expect(flattenImage({ layoutDir: "/nonexistent", outFile, signal: never })).rejects.toMatchObject({
      code: "IMAGE_PULL_FAILED",
      message: expect.stringContaining("OCI layout"),
    });
  });
});

/** Children of this process, by command line. */
function children(pattern: RegExp): string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        const [stat, command] = [`/proc/${pid}/stat`, `/proc/${pid}/cmdline`].map((path) =>
          readFileSync(path, "latin1"),
        );
        return stat?.slice(stat.lastIndexOf(")")).split(" ")[2] === `${process.pid}` && pattern.test(command ?? "");
      } catch {
        return false;
      }
    });
}

describe("nothing is left", () => {
  const big = () => layerTar(Array.from({ length: 2000 }, (_, i) => file(`f${i}`, "x".repeat(50_000))));

  test.each([0, 50, 200, 400])("when it is given up after %i ms", async (delayMs) => {
    const layoutDir = await writeLayout([big()]);
    const out = await scratchDir();
    const controller = new AbortController();
    const flattening = flattenImage({ layoutDir, outFile: join(out, "image.squashfs"), signal: controller.signal });
    setTimeout(() => controller.abort(new Error("given up")), delayMs);
    await expect(flattening).rejects.toThrow("given up");
    expect(await readdir(out)).toEqual([]);
    expect(children(/sqfstar|merge-process/)).toEqual([]);
  });

  test("when sqfstar is missing; the error names it, and what says how to get it", async () => {
    vi.stubEnv("PATH", "/nonexistent");
    onTestFinished(() => void vi.unstubAllEnvs());
    const layoutDir = await writeLayout([layerTar([file("a")])]);
    const outFile = join(await scratchDir(), "image.squashfs");
    await expect(flattenImage({ layoutDir, outFile, signal: never })).rejects.toMatchObject({
      code: "RUNTIME_ERROR",
      message: expect.stringMatching(/sqfstar is missing .*`boxrun setup`/),
    });
  });

  test("when the directory of the result is missing", async () => {
    const layoutDir = await writeLayout([layerTar([file("a")])]);
    const outFile = "/nonexistent/image.squashfs";
    await expect(flattenImage({ layoutDir, outFile, signal: never })).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
  });

  test.skipIf(!isRoot)(`when the disk is full${isRoot ? "" : " (needs root to mount a small tmpfs)"}`, async () => {
    const out = join(await scratchDir(), "small");
    await mkdir(out);
    await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", out]);
    onTestFinished(async () => void (await run("umount", [out])));
    const noise = Buffer.from(Array.from({ length: 3_000_000 }, () => Math.floor(Math.random() * 256)));
    const layoutDir = await writeLayout([layerTar([file("a", "", { content: noise })])]);
    const flattening = flattenImage({ layoutDir, outFile: join(out, "image.squashfs"), signal: never });
    await expect(flattening).rejects.toMatchObject({
      code: "RUNTIME_ERROR",
      message: expect.stringContaining("disk is full"),
    });
    expect(await readdir(out)).toEqual([]);
  });
});

test("the event loop goes on while an image is flattened", async () => {
  const entries = Array.from({ length: 10_000 }, (_, i) => file(`d${i % 100}/f${i}`, `${i}`));
  const layoutDir = await writeLayout([gzipSync(layerTar(entries), { level: 1 })]);
  const outFile = join(await scratchDir(), "image.squashfs");
  const before = performance.eventLoopUtilization();
  await flattenImage({ layoutDir, outFile, signal: never });
  // Merging here would keep the loop busy all the time; in a process of its own, it waits for that.
  expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.5);
});
