import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { EngineInfo, Finding } from "@boxrun/contract";
import { engineNames } from "@boxrun/contract/plain";
import { z } from "zod";
import { fail, ok, warn } from "./finding.ts";

/** What this host has for the choice of an engine. */
export interface EngineHost {
  readonly platform: string;
  readonly hasVirtualisation: boolean;
  /** The version of BoxLite, if it and its native part are installed for this platform. */
  readonly boxLite: string | undefined;
  readonly cacheDir: string;
}

const boxLitePackage = "@boxlite-ai/boxlite";
const nativeParts: Readonly<Record<string, string>> = {
  "linux-x64": `${boxLitePackage}-linux-x64-gnu`,
  "linux-arm64": `${boxLitePackage}-linux-arm64-gnu`,
};

export function thisHost(cacheDir: string, kvm: Finding): EngineHost {
  const platform = `${process.platform}-${process.arch}`;
  const native = nativeParts[platform];
  const isWhole = native !== undefined && installedVersion(native) !== undefined;
  const hasVirtualisation = kvm.status === "ok";
  return { platform, hasVirtualisation, boxLite: isWhole ? installedVersion(boxLitePackage) : undefined, cacheDir };
}

/** BoxLite is no must: where it can't be used, boxes run on QEMU. */
export function checkBoxLite(host: EngineHost): Finding {
  if (host.boxLite !== undefined) return ok("boxlite", `${host.boxLite} is installed for ${host.platform}`);
  if (nativeParts[host.platform] === undefined) {
    return ok("boxlite", `there is none for ${host.platform}: boxes run on qemu`);
  }
  const what = `is not installed for ${host.platform}: boxes run on qemu`;
  return host.hasVirtualisation
    ? warn("boxlite", what, `Install BoxRun without --omit=optional: its optional dependency ${boxLitePackage}.`)
    : ok("boxlite", `${what}, which is all that there is without hardware virtualisation`);
}

/** Which engine a server would take if it were started now. */
export function foreseeEngine(requested: string, host: EngineHost): Finding {
  const name = "engine";
  if (!engineNames.some((known) => known === requested)) {
    return fail(
      name,
      `BOXRUN_ENGINE is ${JSON.stringify(requested)}`,
      `Choose one of ${engineNames.join(", ")}, or unset it.`,
    );
  }
  if (requested === "qemu") return ok(name, "qemu, because BOXRUN_ENGINE asks for it");
  const lack = lacks(host);
  if (requested === "boxlite") {
    return lack === undefined
      ? ok(name, "boxlite, because BOXRUN_ENGINE asks for it, if a box boots with it when the server starts")
      : fail(name, `BOXRUN_ENGINE asks for boxlite, but ${lack}`, "Mend that, or unset BOXRUN_ENGINE.");
  }
  if (lack !== undefined) return ok(name, `qemu, because ${lack}`);
  return ok(name, "boxlite if a guest really boots with KVM, else qemu: that is tried when the server starts");
}

/** Which engine the running server has. */
export function checkEngine(engine: EngineInfo, host: EngineHost | undefined): Finding {
  const { name, accelerator, ready, why } = engine;
  if (!ready) return fail("engine", `${name}: ${why}`, "Do what it says, then try again.");
  const message = `${name} with ${accelerator}: ${why}`;
  if (accelerator !== "tcg" || host === undefined || !host.hasVirtualisation) return ok("engine", message);
  return warn(
    "engine",
    `${message}; boxes run several times slower than they could`,
    "KVM is there and guests don't boot with it: mostly this host is a VM itself, and nested virtualisation does not work where it runs. " +
      `After a change there, remove ${join(host.cacheDir, "probe")} and restart the server.`,
  );
}

/** How the running server's boxes are confined. Of an older server, and of an engine that does not say, nothing. */
export function checkConfinement({ confinement }: EngineInfo): Finding[] {
  if (confinement === undefined) return [];
  const { complete, how } = confinement;
  if (complete) return [ok("confinement", how)];
  const advice = "Boxes run all the same. What a jail needs, and what it keeps from a box: docs/security.md.";
  return [warn("confinement", how, advice)];
}

/** Why the running server has that engine. `requestedHere`: what this command's BOXRUN_ENGINE says. Of an older server, nothing. */
export function checkChoice(engine: EngineInfo, requestedHere: string | undefined): Finding[] {
  const { requested, reason, considered = [] } = engine;
  if (requested === undefined || reason === undefined) return [];
  const others = considered.map(({ name, why }) => `; not ${name}: ${why}`).join("");
  const message = `by ${requested}: ${reason}${others}`;
  if (requestedHere === undefined || requestedHere === requested) return [ok("choice", message)];
  const advice = "Stop the server; the next command starts one with that. Boxes run on.";
  return [warn("choice", `${message}. BOXRUN_ENGINE is ${requestedHere} now`, advice)];
}

function lacks(host: EngineHost): string | undefined {
  if (!host.hasVirtualisation) return "there is no hardware virtualisation for us (see kvm)";
  return host.boxLite === undefined ? "boxlite is not installed here" : undefined;
}

function installedVersion(name: string): string | undefined {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    try {
      const text = readFileSync(join(folder, name, "package.json"), "utf8");
      return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
    } catch {
      // Not there: the next folder up.
    }
  }
  return undefined;
}
