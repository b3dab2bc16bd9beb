import { randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CliError } from "../failure.ts";
import { homeDir } from "../home.ts";
import { runManager } from "../installation.ts";
import { launcher } from "../launcher.ts";
import { serverEnvironment } from "../server-environment.ts";
import { type Scope, system, unitName, unitText } from "./unit.ts";

/** Where systemd looks for what an administrator or a user has put there. */
export function unitFile(scope: Scope, env: NodeJS.ProcessEnv): string {
  const dir =
    scope === "system"
      ? "/etc/systemd/system"
      : join(env.XDG_CONFIG_HOME || join(homeDir(), ".config"), "systemd", "user");
  return join(dir, unitName);
}

/** The unit of this installation. NOT_THIS_HOST for a system service that its own user could not run. */
export function unitOf(scope: Scope, env: NodeJS.ProcessEnv): string {
  const command = [process.execPath, launcher, "serve"];
  if (scope === "system") command.slice(0, 2).forEach(requireForEverybody);
  return unitText({ scope, command, environment: environmentOf(scope, env), hasKvmGroup: hasGroup("kvm") });
}

function environmentOf(scope: Scope, env: NodeJS.ProcessEnv): Record<string, string> {
  if (scope === "system") {
    return {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      BOXRUN_STATE_DIR: system.stateDir,
      BOXRUN_CACHE_DIR: "/var/cache/boxrun",
    };
  }
  // systemd's manager knows who and where the user is. A token in a file that others may read is none.
  const wanted = Object.entries(serverEnvironment(env)).filter(
    ([name]) => name === "PATH" || (name.startsWith("BOXRUN_") && name !== "BOXRUN_TOKEN"),
  );
  return Object.fromEntries(wanted.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** Others than the one who installed it must be able to read it, and enter every directory on the way. */
function requireForEverybody(path: string): void {
  for (let place = path; place !== "/"; place = dirname(place)) {
    const { mode } = statSync(place);
    const needed = place === path ? 0o004 : 0o001;
    if ((mode & needed) !== 0) continue;
    throw new CliError(
      "NOT_THIS_HOST",
      `The service's user could not run ${path}: ${place} is closed to other users`,
      "Install boxrun for everybody: `sudo npm install --global boxrun`, with a Node that is there for everybody.",
    );
  }
}

function hasGroup(name: string): boolean {
  try {
    return readFileSync("/etc/group", "utf8")
      .split("\n")
      .some((line) => line.startsWith(`${name}:`));
  } catch {
    return false;
  }
}

/** Writes the unit, enables and starts it. INSTALL_FAILED with what failed above. */
export async function installService(scope: Scope, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  requireSystemd();
  const text = unitOf(scope, env);
  const file = unitFile(scope, env);
  if (scope === "system") await makeSystemParts(signal);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  await systemctl(scope, ["daemon-reload"], signal);
  await systemctl(scope, ["enable", unitName], signal);
  // A unit that changed is started anew; boxes don't notice.
  await systemctl(scope, ["restart", unitName], signal);
}

/** False if there was none. */
export async function uninstallService(scope: Scope, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<boolean> {
  const file = unitFile(scope, env);
  if (!existsSync(file)) return false;
  requireSystemd();
  await systemctl(scope, ["disable", "--now", unitName], signal);
  await rm(file, { force: true });
  await systemctl(scope, ["daemon-reload"], signal);
  return true;
}

export function requireRootFor(scope: Scope, what: string): void {
  if (scope === "user" || process.getuid?.() === 0) return;
  throw new CliError("INSTALL_FAILED", `${what}: a system service is made by root`, `Run it with sudo.`);
}

/** The user that serves, and a token that lets others of this host in by the TCP port. */
async function makeSystemParts(signal: AbortSignal): Promise<void> {
  const hasUser = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .some((line) => line.startsWith(`${system.user}:`));
  if (!hasUser) {
    const options = ["--system", "--user-group", "--home-dir", system.stateDir, "--shell", "/usr/sbin/nologin"];
    await runManager(["useradd", ...options, system.user], "/", signal);
  }
  if (existsSync(system.environmentFile)) return;
  await mkdir(dirname(system.environmentFile), { recursive: true });
  await writeFile(system.environmentFile, `BOXRUN_TOKEN=${randomBytes(24).toString("hex")}\n`, { mode: 0o600 });
  await chmod(system.environmentFile, 0o600);
}

async function systemctl(scope: Scope, words: readonly string[], signal: AbortSignal): Promise<void> {
  await runManager(["systemctl", ...(scope === "user" ? ["--user"] : []), ...words], "/", signal);
}

function requireSystemd(): void {
  const folders = (process.env.PATH ?? "").split(":");
  const isThere = folders.some((folder) => {
    try {
      accessSync(join(folder, "systemctl"), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (isThere) return;
  throw new CliError(
    "INSTALL_FAILED",
    "There is no systemd on this host: no systemctl on PATH",
    "Let the service manager that there is run `boxrun serve`; it stays in the foreground and ends with SIGTERM.",
  );
}
