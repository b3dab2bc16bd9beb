import { BoxRunError, type EngineChoice, type RequestedEngine } from "@boxrun/contract";
import type { Engine } from "@boxrun/core";
import type { HostVerdict } from "@boxrun/host";
import type { Proof } from "./prove.ts";
import type { Virtualisation } from "./virtualisation.ts";

export type EngineName = Exclude<RequestedEngine, "auto">;

export interface ChooseOptions {
  readonly requested: RequestedEngine;
  /** The same engine each time. Rejects, saying why, if this build or platform does not have it. */
  readonly load: (name: EngineName) => Promise<Engine>;
  readonly virtualisation: Virtualisation;
  /** Whether a box boots with the engine. Never rejects. */
  readonly prove: (engine: Engine, proof: Proof) => Promise<HostVerdict>;
}

export interface ChosenEngine {
  readonly engine: Engine;
  readonly choice: EngineChoice;
}

/** Once per boot of the host: QEMU can stand in. */
const automatic: Proof = { limitMs: 5_000, keepsFailure: true };
/** QEMU must not stand in, and whoever has mended what was wrong, or waited until the host is less busy, tries again. BoxLite gives up after 30 s. */
const forced: Proof = { limitMs: 35_000, keepsFailure: false };

/**
 * BoxLite where hardware virtualisation is proven to work and its package is there, else QEMU. A BoxLite that was asked for and can't
 * work is refused (RUNTIME_ERROR); QEMU is taken as it is, since what it lacks can be installed while the server runs.
 */
export async function chooseEngine(options: ChooseOptions): Promise<ChosenEngine> {
  const { requested, load } = options;
  const asked = `BOXRUN_ENGINE or --engine asks for ${requested}`;
  if (requested === "qemu") return { engine: await load("qemu"), choice: { requested, reason: asked, considered: [] } };
  if (requested === "boxlite") {
    const found = await examineBoxLite(options, forced, undefined);
    if ("why" in found) throw refused(found.why);
    return { engine: found.engine, choice: { requested, reason: `${asked}; ${found.proof}`, considered: [] } };
  }
  const qemu = await load("qemu");
  const found = await automaticBoxLite(options, qemu);
  if ("engine" in found) return { engine: found.engine, choice: { requested, reason: found.proof, considered: [] } };
  return {
    engine: qemu,
    choice: {
      requested,
      reason: "qemu runs anywhere, and boxlite can't be used here",
      considered: [{ name: "boxlite", why: found.why }],
    },
  };
}

type Finding = { readonly engine: Engine; readonly proof: string } | { readonly why: string };

/** QEMU tries KVM once per boot of the host, and knows the outcome from a file: then BoxLite need not be loaded to find out. */
async function automaticBoxLite(options: ChooseOptions, qemu: Engine): Promise<Finding> {
  if (options.virtualisation.kind !== "kvm") return examineBoxLite(options, automatic, undefined);
  const { ready, accelerator, why } = await qemu.describe();
  if (ready && accelerator !== "kvm")
    return { why: "hardware virtualisation does not work here: qemu could not boot a guest with KVM" };
  return examineBoxLite(options, automatic, ready ? why : undefined);
}

/** `kvmProof`: how KVM is known to work; without it BoxLite has to boot a box of its own. */
async function examineBoxLite(
  { virtualisation, load, prove }: ChooseOptions,
  proof: Proof,
  kvmProof: string | undefined,
): Promise<Finding> {
  if (virtualisation.kind === "none") return { why: virtualisation.why };
  let engine: Engine;
  try {
    engine = await load("boxlite");
  } catch (error) {
    return { why: error instanceof Error ? error.message : String(error) };
  }
  const { ready, why } = await engine.describe();
  if (!ready) return { why };
  if (kvmProof !== undefined) return { engine, proof: `hardware virtualisation works: ${kvmProof}` };
  const verdict = await prove(engine, proof);
  return verdict.works ? { engine, proof: verdict.why } : { why: verdict.why };
}

function refused(why: string): BoxRunError {
  return new BoxRunError(
    "RUNTIME_ERROR",
    `Cannot start the server with the engine boxlite: ${why}. Mend that, or start it with BOXRUN_ENGINE=auto, which takes qemu where ` +
      "boxlite does not work.",
    { details: { setting: "BOXRUN_ENGINE" } },
  );
}
