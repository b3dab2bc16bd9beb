import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { CliError } from "./failure.ts";
import { shellText } from "./output/shell-text.ts";

/** How this boxrun came here, which is how it is replaced and removed. */
export type Installation =
  | { readonly kind: "checkout"; readonly dir: string }
  /** Fetched by npx for this one call. */
  | { readonly kind: "npx" }
  /** Without npm, with a Node of its own: `dir` holds both. */
  | { readonly kind: "archive" | "deb"; readonly dir: string }
  | {
      readonly kind: "package";
      /** Of the package itself. */
      readonly dir: string;
      readonly upgrade: readonly string[];
      readonly uninstall: readonly string[];
      /** Where those two are to be run. */
      readonly cwd: string;
    };

export function thisInstallation(): Installation {
  const dir = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
  return existsSync(join(dir, "src", "main.ts"))
    ? { kind: "checkout", dir: join(dir, "..", "..") }
    : installationAt(dir);
}

/** Of the installed package in `dir`. */
function installationAt(dir: string): Installation {
  const modules = dirname(dir);
  const above = dirname(modules);
  const byCommand = (upgrade: string[], uninstall: string[], cwd = above): Installation => {
    return { kind: "package", dir, upgrade: [...upgrade, "boxrun@latest"], uninstall: [...uninstall, "boxrun"], cwd };
  };
  const bundle = bundleAt(dir);
  if (bundle !== undefined) return { kind: bundle, dir: above };
  if (dir.includes("/_npx/")) return { kind: "npx" };
  if (dir.includes("/.pnpm/")) return byCommand(["pnpm", "add", "--global"], ["pnpm", "remove", "--global"], "/");
  if (dir.includes("/.bun/")) return byCommand(["bun", "add", "--global"], ["bun", "remove", "--global"], "/");
  if (basename(above) === "lib" && !existsSync(join(above, "package.json"))) {
    // Said explicitly: the npm that is found first may have another prefix than the one that installed us.
    const where = ["--global", "--prefix", dirname(above)];
    return byCommand(["npm", "install", ...where], ["npm", "uninstall", ...where], "/");
  }
  return byCommand(["npm", "install"], ["npm", "uninstall"]);
}

/** What the release put this package into, which it wrote beside it; `undefined` for npm's. */
function bundleAt(dir: string): "archive" | "deb" | undefined {
  try {
    return z.enum(["archive", "deb"]).parse(readFileSync(join(dir, "installed-by"), "utf8").trim());
  } catch {
    return undefined;
  }
}

/** INSTALL_FAILED unless this user is the one whose files they are: a package manager that runs as another would spoil them. */
export function requireOwnership({ dir }: { readonly dir: string }, command: readonly string[]): void {
  const { uid } = statSync(dir);
  const isRootForOther = process.getuid?.() === 0 && uid !== 0;
  if (!isRootForOther && isWritable(dirname(dir))) return;
  throw new CliError(
    "INSTALL_FAILED",
    `boxrun is installed in ${dir}, which belongs to ${uid === 0 ? "root" : `the user with uid ${uid}`}`,
    `Run this as that user: ${shellText(command)}`,
  );
}

function isWritable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Lets the package manager have the terminal; its output goes to standard error. INSTALL_FAILED. */
export async function runManager(command: readonly string[], cwd: string, signal: AbortSignal): Promise<void> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { cwd, stdio: ["ignore", 2, 2], signal, killSignal: "SIGTERM" });
  const ended = once(child, "close");
  const [code] = await ended.catch((error: unknown) => {
    signal.throwIfAborted();
    throw new CliError(
      "INSTALL_FAILED",
      `Cannot run ${program}: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
  if (code !== 0) {
    throw new CliError("INSTALL_FAILED", `\`${shellText(command)}\` failed; its own messages are above`);
  }
}

/** The version of the package that lies there now. */
export function installedVersion(dir: string): string {
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(dir, "package.json"), "utf8"))).version;
}
