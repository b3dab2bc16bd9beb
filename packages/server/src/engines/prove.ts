import { setTimeout as delay } from "node:timers/promises";
import type { BoxSpec, Engine, ImageContent } from "@boxrun/core";
import { type HostVerdict, keptVerdict } from "@boxrun/host";

interface Options {
  readonly images: ImageContent;
  readonly cacheDir: string;
  /** Of the engine, or of what brings it: another one is tried anew. */
  readonly version: string;
}

/** Always the same one, so that the next server clears away what a killed one has left. */
const proofBoxId = "box_engine-proof";
/** What is left of a box that did not boot in time goes in the background after that. */
const clearingMs = 500;

/** How much a proof may take, and whether the next server believes that it failed. */
export interface Proof {
  readonly limitMs: number;
  readonly keepsFailure: boolean;
}

/** Whether a box boots with the engine: tried with the smallest that there is, and kept until the host boots anew. Linux alone. */
export async function proveByBooting(engine: Engine, proof: Proof, options: Options): Promise<HostVerdict> {
  const { cacheDir } = options;
  const { limitMs, keepsFailure } = proof;
  const version = `${options.version} in ${limitMs} ms`;
  try {
    return await keptVerdict({ cacheDir, name: engine.name, version, keepsFailure }, async () => {
      const { digest } = await options.images.builtin();
      return boot(engine, { ...smallest, image: { digest, layoutDir: options.images.layoutDir(digest) } }, limitMs);
    });
  } catch (error) {
    return { works: false, why: `it could not be tried: ${error instanceof Error ? error.message : String(error)}` };
  }
}

const smallest: Omit<BoxSpec, "image"> = {
  id: proofBoxId,
  hostname: "engine-proof",
  workdir: "/root",
  cpu: 1,
  memoryMb: 256,
  diskSizeGb: 1,
  network: false,
  volumes: [],
};

async function boot(engine: Engine, spec: BoxSpec, limitMs: number): Promise<HostVerdict> {
  const over = AbortSignal.timeout(limitMs);
  const late = new Promise<never>((_, reject) => {
    over.addEventListener("abort", () => reject(over.reason), { once: true });
  });
  const began = performance.now();
  const booting = (async () => {
    await engine.remove(spec.id);
    await engine.create(spec, { signal: over, onEngineId: () => undefined });
  })();
  try {
    // An engine that does not hear the signal must not keep the server from starting.
    await Promise.race([booting, late]);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    return { works: true, why: `a box booted with ${engine.name} in ${seconds} s` };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const why = over.aborted ? `no box booted in ${limitMs / 1000} s` : `no box boots (${reason})`;
    return { works: false, why: `hardware virtualisation is there, but ${why}` };
  } finally {
    const cleared = booting.catch(() => undefined).then(() => engine.remove(spec.id));
    await Promise.race([cleared.catch(() => undefined), delay(clearingMs)]);
  }
}
