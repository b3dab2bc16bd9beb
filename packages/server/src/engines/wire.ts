import type { EngineChoice, RequestedEngine } from "@boxrun/contract";
import type { Engine, ImageContent, Logger, OtherEngines } from "@boxrun/core";
import { chooseEngine, type EngineName } from "./choose.ts";
import { discardBox } from "./discard.ts";
import { proveByBooting } from "./prove.ts";
import { hostVirtualisation, type Virtualisation } from "./virtualisation.ts";

/** How each engine is made; rejects, saying why, where this build or platform does not have it. */
export type EngineFactories = Readonly<Record<EngineName, () => Promise<Engine>>>;

interface Options {
  readonly requested: RequestedEngine;
  readonly factories: EngineFactories;
  /** The engines that made the boxes of this server. */
  readonly inUse: ReadonlySet<string>;
  readonly images: ImageContent;
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly version: string;
  readonly logger: Logger;
  /** Default: this host's. */
  readonly virtualisation?: Virtualisation;
}

interface WiredEngines {
  readonly engine: Engine;
  readonly engineChoice: EngineChoice;
  readonly otherEngines: OtherEngines;
}

/** The engine for new boxes, and those that the boxes which are here need. No other one stays loaded. */
export async function wireEngines(options: Options): Promise<WiredEngines> {
  const { factories, inUse, logger } = options;
  const loaded = new Map<EngineName, Promise<Engine>>();
  const load = (name: EngineName) => {
    const engine = loaded.get(name) ?? factories[name]();
    loaded.set(name, engine);
    return engine;
  };
  const kept = new Set<Engine>();
  try {
    const { engine, choice } = await chooseEngine({
      requested: options.requested,
      load,
      virtualisation: options.virtualisation ?? hostVirtualisation(),
      prove: (candidate, proof) => proveByBooting(candidate, proof, options),
    });
    logger.info({ engine: engine.name, ...choice }, "engine chosen");
    kept.add(engine);
    const missing = new Map<string, string>();
    for (const name of inUse) {
      try {
        if (!isKnown(factories, name)) throw new Error("this version of BoxRun has no such engine");
        kept.add(await load(name));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        missing.set(name, reason);
        logger.warn({ engine: name, reason }, "boxes are here whose engine is not");
      }
    }
    const wired = [...kept].filter((one) => one !== engine);
    const discard: OtherEngines["discard"] = (box) => discardBox(options.stateDir, box);
    return { engine, engineChoice: choice, otherEngines: { wired, missing, discard } };
  } finally {
    const all = await Promise.allSettled(loaded.values());
    await Promise.all(all.map((one) => one.status === "fulfilled" && !kept.has(one.value) && one.value.close()));
  }
}

function isKnown(factories: EngineFactories, name: string): name is EngineName {
  return Object.hasOwn(factories, name);
}
