import { readFileSync } from "node:fs";
import { managerNames, managers, type PackageManager } from "./package-managers.ts";
import { type ProgramName, programOf } from "./programs.ts";

/** What this host's packages are called, and how they are installed. */
export interface Distribution {
  /** For a person. */
  readonly name: string;
  /** `undefined`: one that is not known here. */
  readonly manager: PackageManager | undefined;
  /** From the closest on: `debian:12`, `debian`. */
  readonly kinds: readonly string[];
}

/** What the text of /etc/os-release says. */
export function readDistribution(osRelease: string): Distribution {
  const field = (name: string) => new RegExp(`^${name}=["']?(.*?)["']?$`, "m").exec(osRelease)?.[1] ?? "";
  const id = field("ID");
  // `opensuse-leap`, `opensuse-tumbleweed`: the family is in front.
  const families = [id, ...field("ID_LIKE").split(" "), id.split("-")[0] ?? ""].filter((word) => word !== "");
  const manager = managerNames.find((name) => families.some((family) => isOf(name, family)));
  return {
    name: field("PRETTY_NAME") || field("NAME") || "this system",
    manager,
    kinds: [`${id}:${field("VERSION_ID")}`, ...families],
  };
}

function isOf(manager: PackageManager, family: string): boolean {
  return managers[manager].families.some((known) => known === family);
}

/** As /etc/os-release says. */
export function thisDistribution(): Distribution {
  for (const file of ["/etc/os-release", "/usr/lib/os-release"]) {
    try {
      return readDistribution(readFileSync(file, "utf8"));
    } catch {
      // The other one.
    }
  }
  return { name: "this system", manager: undefined, kinds: [] };
}

/** The package that has the program; `undefined` where there is none, or none is known. */
export function packageOf(name: ProgramName, { manager, kinds }: Distribution): string | undefined {
  const { packages, exceptions = {} } = programOf(name);
  const kind = kinds.find((one) => Object.hasOwn(exceptions, one));
  if (kind !== undefined) return exceptions[kind] ?? undefined;
  return manager === undefined ? undefined : packages[manager];
}

export interface Installation {
  readonly packages: readonly string[];
  /** The words of each command, in order. */
  readonly commands: readonly (readonly string[])[];
  readonly needsRoot: boolean;
}

/** What installs the programs, of those that the distribution has; `undefined` where there is nothing to run. */
export function installationOf(names: readonly ProgramName[], distribution: Distribution): Installation | undefined {
  const { manager } = distribution;
  const found = names.map((name) => packageOf(name, distribution)).filter((name) => name !== undefined);
  const packages = [...new Set(found)];
  if (manager === undefined || packages.length === 0) return undefined;
  const { install, needsRoot } = managers[manager];
  return { packages, commands: install(packages), needsRoot };
}
