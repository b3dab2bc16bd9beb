import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { type ProgramName, programOf, programs } from "./programs.ts";

/** What only a checkout needs, to build the guest: where it may be besides PATH, and the Debian package that has it. */
const builders = {
  go: { package: "golang-go", folders: ["/usr/local/go/bin"] },
  "apt-get": { package: "apt", folders: [] },
  "apt-cache": { package: "apt", folders: [] },
  "dpkg-deb": { package: "dpkg", folders: [] },
  xz: { package: "xz-utils", folders: [] },
  zstd: { package: "zstd", folders: [] },
} as const;

export type ToolName = ProgramName | keyof typeof builders;

/** The program's absolute path; `undefined` if this host doesn't have it. */
export function locateTool(name: ToolName): string | undefined {
  const extra = isProgram(name) ? (programOf(name).folders ?? []) : builders[name].folders;
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), ...extra]) {
    if (folder === "") continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined;
}

/** The program's absolute path. RUNTIME_ERROR that says how to get it if it is missing. */
export function requireTool(name: ToolName, operation: string): string {
  const path = locateTool(name);
  if (path !== undefined) return path;
  throw new BoxRunError("RUNTIME_ERROR", `${operation}: ${missingTool(name)}`);
}

/** For a person: that it is missing, what it is for, and how to get it. */
export function missingTool(name: ToolName): string {
  return isProgram(name)
    ? `the program ${name} is missing (${programOf(name).purpose}); \`boxrun setup\` says how to get it`
    : `the program ${name} is not on PATH; install the Debian package ${builders[name].package}`;
}

function isProgram(name: ToolName): name is ProgramName {
  return Object.hasOwn(programs, name);
}
