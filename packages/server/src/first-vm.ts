import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBoxRequestSchema, toBoxRunError } from "@boxrun/contract";
import { type BoxSpec, silentLogger } from "@boxrun/core";
import { createImageContent } from "@boxrun/images";
import { engineFactories } from "./engines/factories.ts";
import { wireEngines } from "./engines/wire.ts";
import { readSettings } from "./settings.ts";
import { version } from "./version.ts";

/** `made`: it was not there before. */
export type FirstVm =
  | { readonly ready: true; readonly made: boolean }
  | { readonly ready: false; readonly why: string };

/**
 * Has made, in the cache directory, what a box of the usual size and of `base` begins with: so that already the first one, of whatever server of this user, does not boot. It takes
 * no server and leaves nothing else. Rejects only when `signal` aborts; what can't be made is told.
 */
export async function makeFirstVm(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<FirstVm> {
  try {
    return await inDirectoryOfItsOwn((stateDir) => make(stateDir, env, signal));
  } catch (error) {
    signal.throwIfAborted();
    return { ready: false, why: toBoxRunError(error).message };
  }
}

async function inDirectoryOfItsOwn<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "boxrun-"));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function make(stateDir: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<FirstVm> {
  // Where it is called, or would listen, is another question, and may be one of clients alone.
  const { BOXRUN_HOST: _, ...here } = env;
  const { cacheDir, templateCacheMb, engine: requested } = readSettings({}, here);
  if (templateCacheMb === 0) return { ready: false, why: "BOXRUN_TEMPLATE_CACHE_MB is 0, and every box boots" };
  const logger = silentLogger;
  const images = createImageContent({ dir: join(stateDir, "images"), cacheDir, logger });
  const factories = engineFactories({ stateDir, cacheDir, templateCacheMb, logger });
  const wired = await wireEngines({
    ...{ requested, factories, images, stateDir, cacheDir, version, logger },
    inUse: new Set(),
  });
  const { engine } = wired;
  try {
    const { ready, why } = await engine.describe();
    if (!ready) return { ready: false, why };
    if (engine.anticipate === undefined) return { ready: false, why: `boxes of the ${engine.name} engine need none` };
    const { digest } = await images.builtin();
    const spec = usual({ digest, layoutDir: images.layoutDir(digest) });
    return { ready: true, made: await engine.anticipate(spec, { signal }) };
  } finally {
    // What is being made is given up, and nothing of it left.
    await engine.close();
  }
}

/** A box that was asked for with nothing but its image. */
function usual(image: BoxSpec["image"]): BoxSpec {
  const { cpu, memory_mb, disk_size_gb, network } = createBoxRequestSchema.parse({ image: "base" });
  return {
    ...{ id: "box_first-vm", hostname: "first-vm", workdir: "/" },
    ...{ image, cpu, memoryMb: memory_mb, diskSizeGb: disk_size_gb, network },
    volumes: [],
  };
}
