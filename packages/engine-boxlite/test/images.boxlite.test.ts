import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { BoxSpec, Engine, EngineImage } from "@boxrun/core";
import { locateAgent } from "@boxrun/guest-agent";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { openTestHost } from "./support/host.ts";

const host = await openTestHost();
const dir = mkdtempSync(join(tmpdir(), "bi-"));
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const blobSchema = z.looseObject({ digest: z.string(), size: z.int() });
const manifestSchema = z.looseObject({ config: blobSchema });
const indexSchema = z.looseObject({ manifests: z.array(blobSchema).length(1) });

/** The same image with another config, as a layout of its own. */
function withConfig(image: EngineImage, config: (before: object) => object): EngineImage {
  const layoutDir = join(dir, "layout");
  cpSync(image.layoutDir, layoutDir, { recursive: true, dereference: true });
  const blob = (digest: string) => join(layoutDir, "blobs/sha256", digest.replace("sha256:", ""));
  const read = <T>(file: string, schema: z.ZodType<T>): T => schema.parse(JSON.parse(readFileSync(file, "utf8")));
  const put = (content: object) => {
    const bytes = JSON.stringify(content);
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    writeFileSync(blob(digest), bytes);
    return { digest, size: bytes.length };
  };
  const index = read(join(layoutDir, "index.json"), indexSchema);
  const manifest = read(blob(index.manifests[0]?.digest ?? ""), manifestSchema);
  const newConfig = put(config(read(blob(manifest.config.digest), z.looseObject({}))));
  const newManifest = put({ ...manifest, config: { ...manifest.config, ...newConfig } });
  writeFileSync(
    join(layoutDir, "index.json"),
    JSON.stringify({ ...index, manifests: [{ ...index.manifests[0], ...newManifest }] }),
  );
  return { digest: newManifest.digest, layoutDir };
}

async function output(engine: Engine, boxId: string, cmd: readonly string[], id = "exec_1"): Promise<string> {
  const exec = await engine.exec(boxId, {
    id,
    cmd,
    env: {},
    workdir: "/",
    user: null,
    stdin: false,
    tty: null,
    timeoutMs: null,
  });
  return await text(
    Readable.from(
      (async function* () {
        for await (const { data } of exec.output) yield data;
      })(),
    ),
  );
}

function specOf(id: string, image: EngineImage): BoxSpec {
  return {
    id,
    hostname: "image",
    workdir: "/root",
    image,
    cpu: 1,
    memoryMb: 256,
    diskSizeGb: 1,
    network: false,
    volumes: [],
  };
}

test("an image without PATH, entrypoint or user boots; its disk goes when the image is forgotten, but not from under a box", async () => {
  const engine = host.makeEngine();
  const image = withConfig(host.image, (before) => ({ ...before, config: {} }));
  const spec = specOf("box_image-test", image);
  const disks = () => readdirSync(join(host.stateDir, "boxlite/home/images/disk-images"));
  await engine.create(spec, { signal: new AbortController().signal, onEngineId: () => undefined });
  expect(await output(engine, spec.id, ["sh", "-c", "echo $HOME; id -u"])).toBe("/root\n0\n");
  await engine.forgetImage(image.digest);
  expect(disks()).toHaveLength(1);
  await engine.remove(spec.id);
  await engine.forgetImage(image.digest);
  expect(disks()).toEqual([]);
  await engine.close();
});

test("a box of an older BoxRun runs the agent of this one from its next start on, and its programs see neither", async () => {
  const key = "f".repeat(64);
  const agents = join(dir, "older/agent");
  mkdirSync(join(agents, key), { recursive: true });
  writeFileSync(join(agents, "current.json"), JSON.stringify({ version: 1, key }));
  const current = readFileSync(locateAgent(host.cacheDir).file);
  // Linux runs a program with something behind its end.
  const older = Buffer.concat([current, Buffer.from("older")]);
  writeFileSync(join(agents, key, "boxrun-agent"), older, { mode: 0o700 });
  const spec = specOf("box_older", host.image);
  const agentIn = (engine: Engine, id: string) =>
    output(engine, spec.id, ["sh", "-c", "sha256sum < /proc/1/exe; ls -A /.boxrun-agent"], id);
  const expected = (agent: Buffer) => `${createHash("sha256").update(agent).digest("hex")}  -\n`;
  const signal = new AbortController().signal;

  const before = host.makeEngine({ cacheDir: join(dir, "older") });
  await before.create(spec, { signal, onEngineId: () => undefined });
  expect(await agentIn(before, "exec_1")).toBe(expected(older));
  await before.stop(spec.id);
  await before.close();
  const engine = host.makeEngine();
  await engine.start(spec, { signal });
  expect(await agentIn(engine, "exec_2")).toBe(expected(current));
  await engine.remove(spec.id);
  await engine.close();
});
