import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { PullProgress } from "@boxrun/contract";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { account, type Registry, startBrake, startRegistry } from "./support/registry.ts";
import { empty, holdings, inode, makeStore, patient } from "./support/store.ts";
import { tempDir } from "./support/temp-dir.ts";

let registry: Registry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry[Symbol.asyncDispose]());
afterEach(() => {
  vi.unstubAllEnvs();
});

const lower = { "etc/lower": "shared by several images" };

test("an image is pulled by its tag, with its config and as a complete OCI layout", async () => {
  const config = { Env: ["PATH=/bin", "EMPTY=", "A=b=c"], User: "1000:1000", WorkingDir: "/work" };
  const digest = await registry.push("app:v1", { layers: [lower, { "bin/app": "the program" }], config });
  const { dir, content } = await makeStore();

  const image = await content.pull(`${registry.address}/app:v1`, patient);

  expect(image.digest).toBe(digest);
  expect(image.config).toEqual({ env: { PATH: "/bin", EMPTY: "", A: "b=c" }, user: "1000:1000", workdir: "/work" });
  const layout = content.layoutDir(digest);
  const index = JSON.parse(await readFile(join(layout, "index.json"), "utf8"));
  expect(index.manifests).toMatchObject([{ digest }]);
  expect(JSON.parse(await readFile(join(layout, "oci-layout"), "utf8"))).toEqual({ imageLayoutVersion: "1.0.0" });
  const manifest = JSON.parse(await readFile(join(layout, "blobs", digest.replace(":", "/")), "utf8"));
  const sizes = await Promise.all(
    manifest.layers.map(
      async (layer: { digest: string }) => (await stat(join(layout, "blobs", layer.digest.replace(":", "/")))).size,
    ),
  );
  expect(image.sizeBytes).toBe(sizes.reduce((sum: number, size: number) => sum + size, 0));
  expect(await holdings(dir)).toMatchObject({ layouts: [digest.slice(7)], scratch: [] });
});

test("an image is pulled by its digest", async () => {
  const digest = await registry.push("by-digest:v1", { layers: [{ a: "1" }] });
  const { content } = await makeStore();
  expect((await content.pull(`${registry.address}/by-digest@${digest}`, patient)).digest).toBe(digest);
});

test("a layer that two images share is on the disk once, and is not fetched again", async () => {
  const shared = { "usr/big": "x".repeat(100_000) };
  const first = await registry.push("share/first:1", { layers: [shared, { a: "1" }] });
  const second = await registry.push("share/second:1", { layers: [shared, { b: "2" }] });
  const { dir, content } = await makeStore();
  await content.pull(`${registry.address}/share/first:1`, patient);
  const layers = async (digest: string): Promise<string[]> => {
    const file = join(content.layoutDir(digest), "blobs", digest.replace(":", "/"));
    return JSON.parse(await readFile(file, "utf8")).layers.map((layer: { digest: string }) => layer.digest);
  };
  const [big = ""] = await layers(first);
  await truncate(registry.blobFile(big), 10);

  await content.pull(`${registry.address}/share/second:1`, patient);

  expect((await layers(second))[0]).toBe(big);
  const places = [dir, content.layoutDir(first), content.layoutDir(second)];
  const inodes = await Promise.all(places.map((place) => inode(join(place, "blobs", big.replace(":", "/")))));
  expect(new Set(inodes).size).toBe(1);
});

test("progress names each layer when it is there, with its bytes", async () => {
  await registry.push("progress:1", { layers: [{ a: "1" }, { b: "x".repeat(3_000_000) }] });
  const { content } = await makeStore();
  const events: PullProgress[] = [];
  await content.pull(`${registry.address}/progress:1`, { ...patient, onProgress: (event) => events.push(event) });
  const started = events.filter((event) => event.message === "pulling" && event.layer !== undefined);
  expect(new Set(started.map((event) => event.layer)).size).toBe(2);
  const done = events.filter((event) => event.message === "pulled");
  expect(done.map((event) => event.layer)).toEqual(expect.arrayContaining(started.map((event) => event.layer)));
  for (const event of done) expect(event.done_bytes).toBe(event.total_bytes);
});

test("of a pull that takes its time, progress tells how far each layer is, of how much, and what is here already", async () => {
  const here = { "usr/here": randomBytes(50_000).toString("hex") };
  const [big, bigger] = [1_000_000, 1_500_000].map((bytes) => ({ content: randomBytes(bytes).toString("hex") }));
  await registry.push("slow/first:1", { layers: [here] });
  const digest = await registry.push("slow/second:1", { layers: [here, big ?? {}, bigger ?? {}] });
  await registry.pushIndex("slow/second:all", [digest]);
  const manifest = JSON.parse(await readFile(registry.blobFile(digest), "utf8"));
  const layers: { digest: string; size: number }[] = manifest.layers;
  const [first = "", second = "", third = ""] = layers.map((layer) => layer.digest);
  await using brake = await startBrake(registry.address);
  brake.hold(second, 1_000_000);
  brake.hold(third, 2_500_000);
  const { content } = await makeStore();
  await content.pull(`${brake.address}/slow/first:1`, patient);

  const latest = new Map<string | undefined, PullProgress>();
  const reached = Promise.withResolvers<void>();
  const pulling = content.pull(`${brake.address}/slow/second:all`, {
    ...patient,
    onProgress: (event) => {
      latest.set(event.layer, event);
      const done = (layer?: string) => latest.get(layer)?.done_bytes ?? 0;
      if (done(second) === 1_000_000 && done(third) === 2_500_000 && done() === 3_500_000) reached.resolve();
    },
  });
  await Promise.race([reached.promise, pulling]);
  const size = (layer: string) => layers.find((one) => one.digest === layer)?.size;
  expect(latest.get(first)).toMatchObject({
    message: "already here",
    done_bytes: size(first),
    total_bytes: size(first),
  });
  expect(latest.get(second)).toMatchObject({ total_bytes: size(second) });
  expect(latest.get(third)).toMatchObject({ total_bytes: size(third) });
  expect(latest.get(undefined)).toMatchObject({ total_bytes: (size(second) ?? 0) + (size(third) ?? 0) });

  brake.release();
  await pulling;
  for (const layer of [second, third]) expect(latest.get(layer)).toMatchObject({ message: "pulled" });
});

test("many pulls at once, of images that share layers and of the same image, all come out whole", async () => {
  const names = ["many-a:1", "many-b:1", "many-c:1"];
  const digests = await Promise.all(
    names.map((name) => registry.push(name, { layers: [lower, { [name]: "own" }, { end: name }] })),
  );
  const { dir, content } = await makeStore();
  const pulls = [...names, ...names].map((name) => content.pull(`${registry.address}/${name}`, patient));
  const images = await Promise.all(pulls);
  expect(images.map((image) => image.digest)).toEqual([...digests, ...digests]);
  expect(await holdings(dir)).toMatchObject({ layouts: digests.map((digest) => digest.slice(7)).sort(), scratch: [] });
});

test.each([
  ["an unknown tag", "known:nope", /manifest unknown/],
  ["an unknown repository", "unknown/repository:1", /name unknown|manifest unknown/],
])("%s fails with the registry's own reason and leaves nothing", async (_, name, reason) => {
  await registry.push("known:1", { layers: [{ a: "1" }] });
  const { dir, content } = await makeStore();
  const pull = content.pull(`${registry.address}/${name}`, patient);
  await expect(pull).rejects.toMatchObject({ code: "IMAGE_PULL_FAILED", message: expect.stringMatching(reason) });
  expect(await holdings(dir)).toEqual(empty);
});

test("a registry that refuses connections is named with the reason", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  server.close();
  const { dir, content } = await makeStore();
  const pull = content.pull(`127.0.0.1:${address.port}/app:1`, patient);
  await expect(pull).rejects.toMatchObject({
    code: "IMAGE_PULL_FAILED",
    message: expect.stringMatching(`127.0.0.1:${address.port}.*connection refused`),
  });
  expect(await holdings(dir)).toEqual(empty);
});

/** Accepts connections and says nothing. */
async function silentServer() {
  const connected = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    connected.resolve();
    socket.on("error", () => undefined).resume();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    connected: connected.promise,
    /** Resolves when nobody is connected any more, also if nobody ever was: a program that is given up soon may have got no further. */
    abandoned: () => new Promise<void>((resolve) => server.close(() => resolve())),
    [Symbol.dispose]: () => server.close(),
  };
}

test("a registry that hangs is given up after the idle time, and skopeo with it", async () => {
  using server = await silentServer();
  const { dir, content } = await makeStore({ pullIdleTimeoutMs: 600 });
  const pull = content.pull(`127.0.0.1:${server.port}/app:1`, patient);
  await expect(pull).rejects.toMatchObject({ code: "TIMEOUT", message: expect.stringContaining(`:${server.port}`) });
  await server.abandoned();
  expect(await holdings(dir)).toEqual(empty);
});

test("an abort ends the pull, skopeo with it, and leaves nothing", async () => {
  using server = await silentServer();
  const { dir, content } = await makeStore();
  const controller = new AbortController();
  const pull = content.pull(`127.0.0.1:${server.port}/app:1`, { ...patient, signal: controller.signal });
  await server.connected;
  controller.abort(new Error("nobody wants it any more"));
  await expect(pull).rejects.toThrow("nobody wants it any more");
  await server.abandoned();
  expect(await holdings(dir)).toEqual(empty);
});

test.each([
  ["cut short", (file: string) => truncate(file, 1000), /EOF|truncated|closed|length|digest/i],
  [
    "changed",
    async (file: string) => writeFile(file, Buffer.alloc((await stat(file)).size, 1)),
    /digest|checksum|Digest/,
  ],
])("a layer that arrives %s fails the pull and leaves nothing", async (how, damage, reason) => {
  const name = `damaged-${how.replace(" ", "-")}`;
  const digest = await registry.push(`${name}:1`, { layers: [{ a: `${how} ${"x".repeat(50_000)}` }] });
  const manifest = JSON.parse(await readFile(registry.blobFile(digest), "utf8"));
  await damage(registry.blobFile(manifest.layers[0].digest));
  const { dir, content } = await makeStore({ pullIdleTimeoutMs: 10_000 });
  const pull = content.pull(`${registry.address}/${name}:1`, patient);
  await expect(pull).rejects.toMatchObject({ code: "IMAGE_PULL_FAILED", message: expect.stringMatching(reason) });
  expect(await holdings(dir)).toEqual(empty);
});

test.each([
  ["for another architecture", { layers: [{ a: "1" }], architecture: "s390x" }, /made for linux\/s390x/],
  [
    "that is no container image",
    { layers: [{ a: "1" }], layerMediaType: "application/vnd.example.chart" },
    /not a container image|media type|unsupported/i,
  ],
  [
    "with a monstrous config",
    { layers: [{ a: "1" }], config: { Env: Array(5000).fill("A=b") } },
    /config is malformed/,
  ],
])("an image %s is refused with the reason", async (what, image, reason) => {
  const name = what.replaceAll(/[^a-z]+/g, "-");
  await registry.push(`odd/${name}:1`, image);
  const { dir, content } = await makeStore();
  const pull = content.pull(`${registry.address}/odd/${name}:1`, patient);
  await expect(pull).rejects.toMatchObject({ code: "IMAGE_PULL_FAILED", message: expect.stringMatching(reason) });
  expect(await holdings(dir)).toEqual(empty);
});

test("without skopeo, the error says how to get it", async () => {
  vi.stubEnv("PATH", "/nonexistent");
  const { content } = await makeStore();
  await expect(content.pull("127.0.0.1:1/app:1", patient)).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringContaining("the program skopeo is missing (pulls images); `boxrun setup`"),
  });
});

test("a private registry takes the credentials of docker's config, and tells who has none", async () => {
  await using secured = await startRegistry({ private: true });
  const digest = await secured.push("secret/app:1", { layers: [{ a: "1" }] });
  const reference = `${secured.address}/secret/app:1`;
  const home = await tempDir();
  const auth = Buffer.from(`${account.user}:${account.password}`).toString("base64");
  const inFile = JSON.stringify({ auths: { [secured.address]: { auth } } });
  const { content } = await makeStore();
  vi.stubEnv("HOME", home);
  vi.stubEnv("XDG_RUNTIME_DIR", join(home, "run"));

  await expect(content.pull(reference, patient)).rejects.toMatchObject({
    code: "IMAGE_PULL_FAILED",
    message: expect.stringMatching(/unauthorized|authentication required/),
  });

  await mkdir(join(home, ".docker"));
  await writeFile(join(home, ".docker/config.json"), inFile);
  expect((await content.pull(reference, patient)).digest).toBe(digest);

  await mkdir(join(home, "elsewhere"));
  await writeFile(join(home, "elsewhere/config.json"), inFile);
  await writeFile(join(home, ".docker/config.json"), "{}");
  vi.stubEnv("DOCKER_CONFIG", join(home, "elsewhere"));
  expect((await content.pull(reference, patient)).digest).toBe(digest);
});

test("credentials that docker keeps in a credential helper are asked for there", async () => {
  await using secured = await startRegistry({ private: true });
  const digest = await secured.push("secret/app:1", { layers: [{ a: "1" }] });
  const home = await tempDir();
  const answer = JSON.stringify({ ServerURL: secured.address, Username: account.user, Secret: account.password });
  const helper = `#!/bin/sh\nread server\n[ "$server" = "${secured.address}" ] && echo '${answer}'\n`;
  await writeFile(join(home, "docker-credential-test"), helper);
  await chmod(join(home, "docker-credential-test"), 0o755);
  await writeFile(join(home, "config.json"), JSON.stringify({ credsStore: "test" }));
  vi.stubEnv("DOCKER_CONFIG", home);
  vi.stubEnv("PATH", `${home}:${process.env.PATH}`);
  const { dir, content } = await makeStore();
  expect((await content.pull(`${secured.address}/secret/app:1`, patient)).digest).toBe(digest);
  expect((await holdings(dir)).scratch).toEqual([]);
});
