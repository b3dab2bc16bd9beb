import { spawnSync } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { expect, test, vi } from "vitest";
import { readLayout } from "../src/oci/read-layout.ts";
import { makeBase } from "./support/base.ts";
import { makeImage, tar, tarOf } from "./support/make-image.ts";
import { empty, holdings, makeStore } from "./support/store.ts";
import { tempDir } from "./support/temp-dir.ts";

const options = { signal: new AbortController().signal };

async function importImage(
  content: Awaited<ReturnType<typeof makeStore>>["content"],
  layers: Record<string, string>[],
) {
  const work = await tempDir();
  const digest = await makeImage(join(work, "layout"), { layers });
  await content.importArchive(createReadStream(await tarOf(join(work, "layout"), join(work, "i.tar"))), options);
  return digest;
}

test("removing an image keeps the layers that another one has", async () => {
  const { dir, content } = await makeStore();
  const first = await importImage(content, [{ shared: "1" }, { a: "1" }]);
  const second = await importImage(content, [{ shared: "1" }, { b: "1" }]);
  expect((await holdings(dir)).blobs).toHaveLength(7);
  await content.remove(first, { keep: [second] });
  expect((await holdings(dir)).layouts).toEqual([second.slice(7)]);
  expect((await holdings(dir)).blobs).toEqual((await readdir(join(content.layoutDir(second), "blobs/sha256"))).sort());
  await content.remove(second, { keep: [] });
  expect(await holdings(dir)).toEqual(empty);
});

test("removing an image that is not here, or twice at once, is a success", async () => {
  const { dir, content } = await makeStore();
  await content.remove(`sha256:${"0".repeat(64)}`, { keep: [] });
  const digest = await importImage(content, [{ a: "1" }]);
  await Promise.all([content.remove(digest, { keep: [] }), content.remove(digest, { keep: [] })]);
  expect(await holdings(dir)).toEqual(empty);
});

test("what a killed server left of its pulls goes when the next one starts; what a living one does stays", async () => {
  const dir = await tempDir();
  const { pid } = spawnSync("true");
  const dead = join(dir, "scratch", `${pid}-1-left`);
  const reused = join(dir, "scratch", `${process.pid}-1-left`);
  await mkdir(join(dead, "layout/blobs"), { recursive: true });
  await mkdir(reused, { recursive: true });
  await writeFile(join(dead, "layout/blobs/half"), "half a layer");
  const started = (await readFile("/proc/self/stat", "latin1")).split(") ")[1]?.split(" ")[19];
  const living = `${process.pid}-${started}-working`;
  await mkdir(join(dir, "scratch", living));
  await makeStore({ dir });
  await vi.waitFor(async () => expect(await readdir(join(dir, "scratch"))).toEqual([living]));
});

test("the base image is read from the cache, and stays in the store when the cache has another", async () => {
  const { dir, content } = await makeStore();
  const layoutDir = await makeBase({ cacheDir: join(dir, "cache") });
  const base = await content.builtin();
  expect(base.config).toMatchObject({ workdir: "/root", user: null });
  expect(base.config.env.PATH).toContain("/usr/bin");
  expect(await content.builtin()).toEqual(base);
  expect(await content.describe(base.digest)).toMatchObject({
    platform: expect.stringMatching(/^linux\//),
    entrypoint: null,
    cmd: ["/bin/bash"],
  });
  const programs = await content.programs(base.digest);
  expect(programs).toEqual(expect.arrayContaining(["bash", "busybox", "jq", "ls", "make", "sh", "tar", "wget"]));
  expect(programs).not.toContain("shrc");
  expect(programs).toEqual([...new Set(programs)].sort());
  await rm(layoutDir, { recursive: true });
  const index = JSON.parse(await readFile(join(content.layoutDir(base.digest), "index.json"), "utf8"));
  expect(index.manifests).toMatchObject([{ digest: base.digest }]);
});

test("a base image that was not built yet: the error says what to run", async () => {
  const { content } = await makeStore();
  await expect(content.builtin()).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringContaining("npm run setup"),
  });
});

test("what an image that is not here says of itself is an error that names it", async () => {
  const { content } = await makeStore();
  const digest = `sha256:${"0".repeat(64)}`;
  await expect(content.describe(digest)).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringContaining(`read the image ${digest}`),
  });
});

test("an image is made of a tar, and says of itself what the one before it said", async () => {
  const { dir, content } = await makeStore();
  const work = await tempDir();
  const config = { Env: ["A=1", "B=2"], User: "app", WorkingDir: "/app", Entrypoint: ["/entry"], Cmd: ["serve"] };
  const from = await makeImage(join(work, "layout"), { layers: [{ a: "1" }], config });
  await content.importArchive(createReadStream(await tarOf(join(work, "layout"), join(work, "i.tar"))), options);
  const layer = await tar({ "opt/new": "content" });
  const made = await content.make(Readable.from([layer]), {
    ...{ from, env: { B: "3", C: "4" }, workdir: "/srv", createdAtMs: 0, signal: options.signal },
  });
  expect(made.config).toEqual({ env: { A: "1", B: "3", C: "4" }, user: "app", workdir: "/srv" });
  expect(await content.ownCommand(made.digest)).toEqual(["/entry", "serve"]);
  const layoutDir = content.layoutDir(made.digest);
  const { manifest } = await readLayout(layoutDir);
  const [packed] = manifest.layers;
  expect(gunzipSync(await readFile(join(layoutDir, "blobs/sha256", packed?.digest.slice(7) ?? "")))).toEqual(layer);
  expect((await holdings(dir)).scratch).toEqual([]);
});

test("a tar that breaks off, or nobody wants any more, leaves nothing", async () => {
  const { dir, content } = await makeStore();
  const from = await importImage(content, [{ a: "1" }]);
  const before = await holdings(dir);
  const how = { from, env: {}, workdir: "/", createdAtMs: 0 };
  const breaksOff = async function* () {
    yield Buffer.alloc(512, "x");
    throw new Error("the box died");
  };
  await expect(content.make(breaksOff(), { ...how, ...options })).rejects.toThrow("the box died");
  const caller = new AbortController();
  const isGivenUp = async function* () {
    yield Buffer.alloc(512, "x");
    caller.abort(new Error("given up"));
    yield Buffer.alloc(512, "x");
  };
  await expect(content.make(isGivenUp(), { ...how, signal: caller.signal })).rejects.toThrow("given up");
  expect(await holdings(dir)).toEqual(before);
});
