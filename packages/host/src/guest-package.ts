import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { z } from "zod";
import packageJson from "../package.json" with { type: "json" };

/** The npm package that brings what a checkout builds for itself: kernel, initramfs, agent, host helper, base image. */
export type GuestPackage =
  | { readonly kind: "installed"; readonly name: string; readonly dir: string }
  | { readonly kind: "missing"; readonly name: string }
  /** There is none for such a host. */
  | { readonly kind: "unknown"; readonly host: string }
  /** Made for another version of BoxRun: what host and guest say to each other may differ. */
  | { readonly kind: "unfit"; readonly name: string; readonly version: string };

/** Hosts on which boxes run, as Node names them. */
const knownHosts: readonly string[] = ["linux-x64"];

export interface HostKind {
  readonly platform: string;
  readonly arch: string;
}

/** Whether boxes run on such hosts at all. */
export function isKnownHost({ platform, arch }: HostKind): boolean {
  return knownHosts.includes(`${platform}-${arch}`);
}

/** The one that is installed beside this code. */
export function installedGuest(host: HostKind = process): GuestPackage {
  const { platform, arch } = host;
  if (!isKnownHost(host)) return { kind: "unknown", host: `${platform} on ${arch}` };
  const name = `@boxrun/guest-${platform}-${arch}`;
  try {
    return guestPackageAt(name, dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)));
  } catch {
    return { kind: "missing", name };
  }
}

/** Throws if there is no package in `dir`. */
export function guestPackageAt(name: string, dir: string): GuestPackage {
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(`${dir}/package.json`, "utf8")));
  return version === packageJson.version ? { kind: "installed", name, dir } : { kind: "unfit", name, version };
}

interface Part<T> {
  /** How the error begins: `find the guest kernel`. */
  readonly operation: string;
  /** Of the part, in the cache directory and in the package: both are laid out alike. */
  readonly folder: "agent" | "guest" | "images";
  readonly cacheDir: string;
  /** Throws where `root` does not hold it. */
  readonly read: (root: string) => T;
}

/** A part as the checkout has built it, else as the package brings it. RUNTIME_ERROR that says what to do if neither has it. */
export function locatePart<T>(part: Part<T>, guest: GuestPackage = installedGuest()): T {
  const built = `${part.cacheDir}/${part.folder}`;
  try {
    return part.read(built);
  } catch (cause) {
    try {
      if (guest.kind === "installed") return part.read(`${guest.dir}/${part.folder}`);
    } catch {
      // The checkout's own: a name, and nothing in it.
    }
    const why = guest.kind === "unknown" ? noBoxesOn(guest.host) : `none is built in ${built}, and ${lack(guest)}`;
    throw new BoxRunError("RUNTIME_ERROR", `${part.operation}: ${why}`, { cause });
  }
}

/** For a person. */
export function noBoxesOn(host: string): string {
  return `boxes run on Linux on x64, and this is ${host}; run boxrun on such a host, and reach it from here: \`boxrun context add\``;
}

function lack(guest: Exclude<GuestPackage, { kind: "unknown" }>): string {
  const { name } = guest;
  if (guest.kind === "unfit") {
    const { version } = packageJson;
    return `the npm package ${name} is ${guest.version} where this boxrun is ${version}; install both anew: \`npm install --global boxrun@${version}\``;
  }
  return (
    `the npm package ${name} is not installed; \`npm install --global boxrun\` brings it unless optional packages are left out, ` +
    "and in a checkout `npm run setup` builds what is in it"
  );
}
