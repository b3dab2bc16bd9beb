import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { EngineImage } from "@boxrun/core";
import type { BuiltAgent } from "@boxrun/guest-agent";
import { isErrno } from "@boxrun/host";
import { pack } from "tar-stream";
import { z } from "zod";
import { guestAgent } from "./layout.ts";

/*
 * BoxLite puts nothing into a box but its image and shares. A share costs a guest memory and a second to boot on a slow CPU, and on x86
 * there are three: so the agent comes with the image, as one more layer.
 */

const blobSchema = z.looseObject({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/), size: z.int() });
const indexSchema = z.looseObject({ manifests: z.tuple([blobSchema]) });
const manifestSchema = z.looseObject({ config: blobSchema, layers: z.array(blobSchema) });
/** Of an image without layers, Go writes null for their list. */
const configSchema = z.looseObject({
  architecture: z.string().nullish(),
  os: z.string().nullish(),
  rootfs: z.looseObject({ diff_ids: z.array(z.string()).nullish() }).nullish(),
});

/** As the specification names it. */
const hostArchitecture = process.arch === "x64" ? "amd64" : process.arch;

const layerType = "application/vnd.oci.image.layer.v1.tar";

/**
 * The image with the agent in it: a layout in `dir`, made when it is first asked for. Its other blobs are links to the image's own, which only
 * a box that is made needs. Safe to call twice at once.
 */
export async function withAgent(image: EngineImage, agent: BuiltAgent, dir: string): Promise<string> {
  const made = join(dir, `${nameOf(image.digest)}-${agent.key.slice(0, 16)}`);
  // It appears by one rename, complete.
  if (existsSync(made)) return made;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  // Under the image's name: what a server that was killed has left goes with the image.
  const scratch = await mkdtemp(`${made}.new-`);
  try {
    await addAgent(image, agent, scratch);
    await rename(scratch, made);
  } catch (error) {
    await rm(scratch, { recursive: true, force: true });
    // Somebody else was faster.
    if (!isErrno(error, "ENOTEMPTY") && !isErrno(error, "EEXIST")) throw error;
  }
  return made;
}

/** Removes what `withAgent` has made of an image. */
export async function removeAgentImages(digest: string, dir: string): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    if (name.startsWith(`${nameOf(digest)}-`)) await rm(join(dir, name), { recursive: true, force: true });
  }
}

async function addAgent(image: EngineImage, agent: BuiltAgent, dir: string): Promise<void> {
  const original = (digest: string) => join(image.layoutDir, "blobs", "sha256", nameOf(digest));
  const index = await readJson(join(image.layoutDir, "index.json"), indexSchema);
  const [descriptor] = index.manifests;
  const manifest = await readJson(original(descriptor.digest), manifestSchema);
  const config = await readJson(original(manifest.config.digest), configSchema);
  const blobs = join(dir, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (content: Uint8Array) => {
    const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
    await writeFile(join(blobs, nameOf(digest)), content);
    return { digest, size: content.length };
  };
  const putJson = (document: object) => put(Buffer.from(JSON.stringify(document)));

  for (const { digest } of manifest.layers) {
    // An image may have a layer twice.
    await symlink(original(digest), join(blobs, nameOf(digest))).catch((error: unknown) => {
      if (!isErrno(error, "EEXIST")) throw error;
    });
  }
  const layer = await put(await agentLayer(agent.file));
  const newConfig = await putJson({
    ...config,
    // BoxLite wants them; an image that leaves them out is taken for this host's.
    architecture: config.architecture || hostArchitecture,
    os: config.os || "linux",
    rootfs: { type: "layers", ...config.rootfs, diff_ids: [...(config.rootfs?.diff_ids ?? []), layer.digest] },
  });
  const newManifest = await putJson({
    ...manifest,
    config: { ...manifest.config, ...newConfig },
    layers: [...manifest.layers, { mediaType: layerType, ...layer }],
  });
  await writeFile(join(dir, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(
    join(dir, "index.json"),
    JSON.stringify({ ...index, manifests: [{ ...descriptor, ...newManifest }] }),
  );
}

/** A tar that is the same for the same agent. */
async function agentLayer(file: string): Promise<Buffer> {
  const tar = pack();
  const owner = { uid: 0, gid: 0, mtime: new Date(0) };
  const dir = guestAgent.dir.slice(1);
  tar.entry({ name: `${dir}/`, type: "directory", mode: 0o700, ...owner });
  // BoxLite (0.10.0) wants a program that anybody may run.
  tar.entry({ name: `${dir}/${guestAgent.program}`, mode: 0o755, ...owner }, await readFile(file));
  tar.finalize();
  return await buffer(tar);
}

/** Of a digest, as a file's name. */
function nameOf(digest: string): string {
  return digest.slice("sha256:".length);
}

async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(JSON.parse(await readFile(file, "utf8")));
}
