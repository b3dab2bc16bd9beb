import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultCacheDir } from "@boxrun/host";
import { buildBaseImage } from "@boxrun/images";
import { extract } from "tar-stream";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { removeAgentImages, withAgent } from "../src/agent-image.ts";

const dir = mkdtempSync(join(tmpdir(), "ba-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const blob = z.object({ mediaType: z.string(), digest: z.string(), size: z.int() });
const index = z.object({ manifests: z.array(blob).length(1) });
const manifest = z.object({ config: blob, layers: z.array(blob) });
const config = z.looseObject({ config: z.looseObject({}), rootfs: z.object({ diff_ids: z.array(z.string()) }) });

/** Reads a layout's one image, and checks every blob against its digest and size. */
function read(layoutDir: string) {
  const content = ({ digest, size }: z.infer<typeof blob>) => {
    const bytes = readFileSync(join(layoutDir, "blobs/sha256", digest.replace("sha256:", "")));
    expect(`sha256:${createHash("sha256").update(bytes).digest("hex")}`).toBe(digest);
    expect(bytes.length).toBe(size);
    return bytes;
  };
  const parse = <T>(schema: z.ZodType<T>, bytes: Buffer) => schema.parse(JSON.parse(bytes.toString("utf8")));
  const [descriptor] = parse(index, readFileSync(join(layoutDir, "index.json"))).manifests;
  if (descriptor === undefined) throw new Error("the index is empty");
  const image = parse(manifest, content(descriptor));
  for (const layer of image.layers) content(layer);
  return { digest: descriptor.digest, layers: image.layers, config: parse(config, content(image.config)) };
}

test("an image with the agent has its own layers and config, and the agent's layer behind them", async () => {
  const layoutDir = await buildBaseImage({ cacheDir: defaultCacheDir() });
  const before = read(layoutDir);
  const image = { digest: before.digest, layoutDir };
  const agent = { file: join(dir, "agent"), key: "a".repeat(64) };
  writeFileSync(agent.file, "an agent");
  const images = join(dir, "images");

  const [made, same] = await Promise.all([withAgent(image, agent, images), withAgent(image, agent, images)]);
  expect(same).toBe(made);
  expect(readdirSync(images)).toHaveLength(1);
  const after = read(made);
  const added = after.layers.at(-1)?.digest ?? "";
  expect(after.layers.slice(0, -1)).toEqual(before.layers);
  expect(after.config.config).toEqual(before.config.config);
  expect(after.config.rootfs.diff_ids).toEqual([...before.config.rootfs.diff_ids, added]);
  expect(existsSync(join(made, "oci-layout"))).toBe(true);

  const entries: unknown[] = [];
  const tar = extract();
  createReadStream(join(made, "blobs/sha256", added.replace("sha256:", ""))).pipe(tar);
  for await (const entry of tar) {
    let content = "";
    for await (const chunk of entry) content += String(chunk);
    const { name, mode, uid } = entry.header;
    entries.push({ name, mode, uid, content });
  }
  expect(entries).toEqual([
    { name: ".boxrun-agent/", mode: 0o700, uid: 0, content: "" },
    { name: ".boxrun-agent/boxrun-agent", mode: 0o755, uid: 0, content: "an agent" },
  ]);

  const again = await withAgent(image, agent, join(dir, "elsewhere"));
  expect(read(again).digest).toBe(after.digest);
  const newer = await withAgent(image, { ...agent, key: "b".repeat(64) }, images);
  expect(newer).not.toBe(made);
  await removeAgentImages(`sha256:${"0".repeat(64)}`, images);
  expect(readdirSync(images)).toHaveLength(2);
  await removeAgentImages(image.digest, images);
  expect(readdirSync(images)).toEqual([]);
});

test("an image without layers, whose config says next to nothing, becomes one that BoxLite takes", async () => {
  const layoutDir = join(dir, "empty-image");
  const blobs = join(layoutDir, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const put = (mediaType: string, document: object) => {
    const content = JSON.stringify(document);
    const hex = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(blobs, hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const bare = put("application/vnd.oci.image.config.v1+json", {
    config: {},
    rootfs: { type: "layers", diff_ids: null },
  });
  const type = "application/vnd.oci.image.manifest.v1+json";
  const descriptor = put(type, { schemaVersion: 2, mediaType: type, config: bare, layers: [] });
  writeFileSync(join(layoutDir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
  const agent = { file: join(dir, "agent-of-empty"), key: "c".repeat(64) };
  writeFileSync(agent.file, "an agent");
  const made = read(await withAgent({ digest: descriptor.digest, layoutDir }, agent, join(dir, "of-empty")));
  expect(made.layers).toHaveLength(1);
  expect(made.config.rootfs.diff_ids).toEqual([made.layers[0]?.digest]);
  expect(made.config).toMatchObject({ os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch });
});
