import type { EngineInfo, Finding } from "@boxrun/contract";
import { checkBoxLite, checkChoice, checkConfinement, checkEngine, foreseeEngine, thisHost } from "./engine.ts";
import { checkBuilt, checkSocket, checkStateDir } from "./files.ts";
import { checkDiskSpace, checkKvm, checkMachine, checkNode, checkTools } from "./host.ts";

export interface Examination {
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly socketPath: string;
  /** The running server's; without it, what one would take if it were started now. */
  readonly engine: EngineInfo | undefined;
  /** What BOXRUN_ENGINE says to whoever asks. */
  readonly requested: string | undefined;
  /** Of the server itself. */
  readonly server: readonly Finding[];
}

/** What boxes need on this host, and whether it is there. Starts nothing. */
export async function examineHost(examination: Examination): Promise<Finding[]> {
  const { stateDir, cacheDir, socketPath, engine, requested, server } = examination;
  const kvm = checkKvm();
  const host = thisHost(cacheDir, kvm);
  return [
    checkNode(),
    checkMachine(),
    kvm,
    checkBoxLite(host),
    ...checkTools((engine?.name ?? requested) !== "boxlite"),
    ...checkBuilt(cacheDir),
    checkStateDir(stateDir),
    await checkDiskSpace(stateDir),
    checkSocket(socketPath),
    ...server,
    ...(engine === undefined
      ? [foreseeEngine(requested ?? "auto", host)]
      : [checkEngine(engine, host), ...checkChoice(engine, requested), ...checkConfinement(engine)]),
  ];
}
