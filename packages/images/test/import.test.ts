import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { promisify } from "node:util";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { makeImage, skopeo, tar, tarOf } from "./support/make-image.ts";
import { empty, holdings, makeStore } from "./support/store.ts";
import { tempDir } from "./support/temp-dir.ts";

const run = promisify(execFile);
const options = { signal: new AbortController().signal };

async function ociTar(name = "app:1"): Promise<{ file: string; digest: string }> {
  const work = await tempDir();
  const layers = [{ "etc/lower": "1" }, { "bin/app": "x".repeat(10_000) }];
  const digest = await makeImage(join(work, "layout"), { layers, config: { Env: ["A=1"] } }, name);
  return { file: await tarOf(join(work, "layout"), join(work, "image.tar")), digest };
}

test.each([
  ["plain", (bytes: Buffer) => bytes],
  ["gzip", (bytes: Buffer) => gzipSync(bytes)],
  ["zstd", (bytes: Buffer) => zstdCompressSync(bytes)],
])("an OCI layout tar (%s) is imported under its name and digest", async (_, pack) => {
  const { file, digest } = await ociTar("registry.example/team/app:1");
  const { dir, content } = await makeStore();
  const images = await content.importArchive(Readable.from([pack(await readFile(file))]), options);
  expect(images).toMatchObject([
    { digest, references: ["registry.example/team/app:1"], config: { env: { A: "1" }, user: null, workdir: null } },
  ]);
  const index = JSON.parse(await readFile(join(content.layoutDir(digest), "index.json"), "utf8"));
  expect(index.manifests[0].digest).toBe(digest);
  expect((await holdings(dir)).scratch).toEqual([]);
});

test("every image of an OCI layout is imported, also one without a name", async () => {
  const work = await tempDir();
  const layout = join(work, "layout");
  const first = await makeImage(layout, { layers: [{ a: "1" }] }, "first:1");
  const [one] = JSON.parse(await readFile(join(layout, "index.json"), "utf8")).manifests;
  const second = await makeImage(layout, { layers: [{ a: "1" }, { b: "2" }] });
  const [two] = JSON.parse(await readFile(join(layout, "index.json"), "utf8")).manifests;
  const index = { schemaVersion: 2, manifests: [one, { ...two, annotations: undefined }] };
  await writeFile(join(layout, "index.json"), JSON.stringify(index));
  const { content } = await makeStore();
  const body = createReadStream(await tarOf(layout, join(work, "image.tar")));
  expect(await content.importArchive(body, options)).toMatchObject([
    { digest: first, references: ["first:1"] },
    { digest: second, references: [] },
  ]);
});

test("every image of a docker-archive is imported under all its names", async () => {
  const work = await tempDir();
  await makeImage(join(work, "layout"), { layers: [{ a: "1" }], config: { WorkingDir: "/srv", User: "nobody" } });
  const archive = join(work, "docker.tar");
  const tags = ["--additional-tag", "docker.io/library/other:2"];
  await skopeo("copy", "-q", ...tags, `oci:${work}/layout:image`, `docker-archive:${archive}:docker.io/library/app:1`);
  const { dir, content } = await makeStore();
  const images = await content.importArchive(createReadStream(archive), options);
  expect(images).toMatchObject([{ config: { workdir: "/srv", user: "nobody" } }]);
  expect(images.flatMap((image) => image.references).sort()).toEqual(["app:1", "other:2"]);
  expect(await holdings(dir)).toMatchObject({ layouts: images.map(({ digest }) => digest.slice(7)), scratch: [] });
});

const junk = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 251));

test.each([
  ["random bytes", async () => junk, /not a tar/],
  ["nothing at all", async () => Buffer.alloc(0), /neither|not a tar/],
  ["gzip of random bytes", async () => gzipSync(junk), /not a tar/],
  ["broken gzip", async () => gzipSync(junk).subarray(0, 100), /not a tar/],
  ["a tar of something else", async () => tar({ "a.txt": "1" }), /neither an OCI layout/],
  ["a tar that is cut off", async () => (await readFile((await ociTar()).file)).subarray(0, 6000), /damaged/],
  ["an index that is no JSON", async () => tar({ "index.json": "{", "oci-layout": "{}" }), /index.json is malformed/],
  ["an index of nothing", async () => tar({ "index.json": '{"schemaVersion":2,"manifests":[]}' }), /no image/],
  ["a docker manifest of nothing", async () => tar({ "manifest.json": "[]" }), /no image/],
  [
    "a docker manifest without its files",
    async () => tar({ "manifest.json": '[{"Config":"x.json","Layers":[]}]' }),
    /x\.json/,
  ],
  ["an index of 10 MB", async () => tar({ "index.json": " ".repeat(10_000_000) }), /at most/],
])("%s: a validation error that says why, and nothing is left", async (_, body, reason) => {
  const { dir, content } = await makeStore();
  const imported = content.importArchive(Readable.from([await body()]), options);
  await expect(imported).rejects.toMatchObject({ code: "VALIDATION_ERROR", message: expect.stringMatching(reason) });
  expect(await holdings(dir)).toEqual(empty);
});

test("a blob that does not match its digest is refused", async () => {
  const work = await tempDir();
  const digest = await makeImage(join(work, "layout"), { layers: [{ a: "1" }] });
  const manifest = JSON.parse(await readFile(join(work, "layout/blobs", digest.replace(":", "/")), "utf8"));
  const file = join(work, "layout/blobs", manifest.layers[0].digest.replace(":", "/"));
  const bytes = await readFile(file);
  bytes[0] = 0x41;
  await writeFile(file, bytes);
  const { dir, content } = await makeStore();
  const imported = content.importArchive(
    createReadStream(await tarOf(join(work, "layout"), join(work, "t.tar"))),
    options,
  );
  await expect(imported).rejects.toMatchObject({ code: "VALIDATION_ERROR", message: expect.stringMatching(/digest/i) });
  expect(await holdings(dir)).toEqual(empty);
});

test("names in an archive lead nowhere but into the layout", async () => {
  const work = await tempDir();
  const { content, dir } = await makeStore({ dir: join(work, "store") });
  const hex = "0".repeat(64);
  const index = { schemaVersion: 2, manifests: [{ mediaType: "x", digest: `sha256:${hex}`, size: 1 }] };
  const body = await tar({
    "index.json": JSON.stringify(index),
    "blobs/sha256/../../../../escaped": "x",
    "/escaped": "x",
  });
  await expect(content.importArchive(Readable.from([body]), options)).rejects.toMatchObject({
    code: "VALIDATION_ERROR",
  });
  await expect(readFile(join(work, "escaped"))).rejects.toThrow("ENOENT");
  await expect(readFile("/escaped")).rejects.toThrow("ENOENT");
  expect(await holdings(dir)).toEqual(empty);
});

test("a caller that hangs up in the middle leaves nothing", async () => {
  const { file } = await ociTar();
  const { dir, content } = await makeStore();
  const body = new PassThrough();
  body.write((await readFile(file)).subarray(0, 5000));
  const imported = content.importArchive(body, options);
  body.destroy(new Error("connection reset"));
  await expect(imported).rejects.toThrow("connection reset");
  expect(await holdings(dir)).toEqual(empty);
});

test("an abort leaves nothing", async () => {
  const { dir, content } = await makeStore();
  const controller = new AbortController();
  const imported = content.importArchive(new PassThrough(), { signal: controller.signal });
  controller.abort(new Error("given up"));
  await expect(imported).rejects.toThrow();
  expect(await holdings(dir)).toEqual(empty);
});

const isRoot = process.getuid?.() === 0;
test.skipIf(!isRoot)(
  `a full disk is named as such and nothing is left${isRoot ? "" : " (needs root to mount a small tmpfs)"}`,
  async () => {
    const dir = join(await tempDir(), "small");
    await mkdir(dir);
    await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", dir]);
    onTestFinished(async () => void (await run("umount", [dir])));
    const { content } = await makeStore({ dir });
    const body = Readable.from([await tar({ "index.json": "{}", big: "x".repeat(3_000_000) })]);
    await expect(content.importArchive(body, options)).rejects.toMatchObject({
      code: "RUNTIME_ERROR",
      message: expect.stringContaining("disk is full"),
    });
    expect(await holdings(dir)).toEqual(empty);
  },
);
