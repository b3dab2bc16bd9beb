import { BoxRunError } from "@boxrun/contract";
import { findProgram } from "../skopeo/programs.ts";
import { type AptSource, hostAptSource } from "./apt-sources.ts";
import { runTool } from "./run-tool.ts";
import { slimRoot } from "./slim.ts";

export interface DebianRootOptions {
  readonly source: AptSource;
  /** Besides the minimal system; checked by `checkPackages`. */
  readonly packages: readonly string[];
  /** How errors begin. */
  readonly operation: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Where packages come from: as named, else as this host's own apt is configured. VALIDATION_ERROR or RUNTIME_ERROR. */
export async function chooseSource(
  { suite, mirror }: { readonly suite?: string; readonly mirror?: string },
  operation: string,
): Promise<AptSource> {
  const host = mirror === undefined || suite === undefined ? await hostAptSource() : undefined;
  const chosen = { mirror: mirror ?? host?.mirror, suite: suite ?? host?.suite };
  if (chosen.mirror === undefined || chosen.suite === undefined) {
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `${operation}: apt has no source for this host's release; name a suite and a mirror`,
    );
  }
  if (!/^[a-z][a-z0-9.-]*$/.test(chosen.suite)) {
    throw new BoxRunError("VALIDATION_ERROR", `suite: ${JSON.stringify(chosen.suite)} is not the name of a release`);
  }
  if (!/^(https?|file):\/\/\S+$/.test(chosen.mirror)) {
    throw new BoxRunError(
      "VALIDATION_ERROR",
      `mirror: ${JSON.stringify(chosen.mirror)} is not an http, https or file URL`,
    );
  }
  return { mirror: chosen.mirror, suite: chosen.suite, keyring: mirror === undefined ? host?.keyring : undefined };
}

/** VALIDATION_ERROR if one of them can't be the name of a Debian package. */
export function checkPackages(packages: readonly string[]): void {
  const bad = packages.find((name) => !/^[a-z0-9][a-z0-9+.-]+$/.test(name));
  if (bad !== undefined)
    throw new BoxRunError("VALIDATION_ERROR", `packages: ${JSON.stringify(bad)} is no package name`);
}

/**
 * Makes a small Debian root file system in the directory `root`, which debootstrap creates.
 * RUNTIME_ERROR, with what to do, without root or debootstrap, and with the tool's own last lines when it fails.
 */
export async function makeDebianRoot(root: string, options: DebianRootOptions): Promise<void> {
  const { source, packages, operation, log, signal } = options;
  if (process.getuid?.() !== 0) {
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `${operation}: it takes root to make a Debian root file system; run it with sudo`,
    );
  }
  const debootstrap = findProgram("debootstrap") ?? missing(operation, "debootstrap");
  const unshare = findProgram("unshare") ?? missing(operation, "util-linux");
  log(`debootstrap ${source.suite} from ${source.mirror} with ${packages.join(", ")}`);
  const keyring = source.keyring === undefined ? [] : [`--keyring=${source.keyring}`];
  const include = packages.length === 0 ? [] : [`--include=${packages.join(",")}`];
  // debootstrap mounts /proc in the new root; in name spaces of its own that, and everything it started, ends with it in any case.
  const isolated = ["--mount", "--pid", "--fork", "--kill-child", "--"];
  const command = [debootstrap, "--variant=minbase", ...keyring, ...include, source.suite, root, source.mirror];
  await runTool(unshare, [...isolated, ...command], {
    operation,
    signal,
    onLine: log,
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
  await slimRoot(root);
}

function missing(operation: string, debianPackage: string): never {
  throw new BoxRunError("RUNTIME_ERROR", `${operation}: install the Debian package ${debianPackage}`);
}
