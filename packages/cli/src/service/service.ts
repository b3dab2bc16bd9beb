import { randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CliError } from "../failure.ts";
import { homeDir } from "../home.ts";
import { runManager } from "../installation.ts";
import { launcher } from "../launcher.ts";
import { serverEnvironment } from "../server-environment.ts";
import { type Scope, system, systemEnvironment, unitName, unitText } from "./unit.ts";

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
  if (scope === "system") return systemEnvironment;
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
  return isListed("/etc/group", name);
}

function hasUser(name: string): boolean {
  return isListed("/etc/passwd", name);
}

function isListed(file: string, name: string): boolean {
  try {
    return readFileSync(file, "utf8")
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

interface UninstallOptions {
  /** Of a system service: end its boxes, and remove all that is its own, its user too. */
  readonly purge: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** False if there was none. */
export async function uninstallService(scope: Scope, { purge, env, signal }: UninstallOptions): Promise<boolean> {
  const file = unitFile(scope, env);
  // Without it there may be another one that serves in the same places: a Debian package's.
  if (!existsSync(file)) return false;
  requireSystemd();
  if (purge) {
    // With the server and its boxes in one stroke: nothing starts it again.
    await systemctl(scope, ["disable", unitName], signal);
    await writeFile(file, `${await readFile(file, "utf8")}\n[Service]\nKillMode=control-group\nTimeoutStopSec=10\n`);
    await systemctl(scope, ["daemon-reload"], signal);
    await systemctl(scope, ["stop", unitName], signal);
  } else await systemctl(scope, ["disable", "--now", unitName], signal);
  await rm(file, { force: true });
  await systemctl(scope, ["daemon-reload"], signal);
  if (purge) await purgeSystemParts(signal);
  return true;
}

/** What `makeSystemParts` and systemd have made for a system service. */
async function purgeSystemParts(signal: AbortSignal): Promise<void> {
  for (const place of [system.stateDir, system.cacheDir, dirname(system.environmentFile)]) {
    await rm(place, { recursive: true, force: true });
  }
  if (hasUser(system.user)) await runManager(["userdel", system.user], "/", signal);
}

export function requireRootFor(scope: Scope, what: string): void {
  if (scope === "user" || process.getuid?.() === 0) return;
  throw new CliError("INSTALL_FAILED", `${what}: a system service is made by root`, `Run it with sudo.`);
}

/** The user that serves, and a token that lets others of this host in by the TCP port. */
async function makeSystemParts(signal: AbortSignal): Promise<void> {
  if (!hasUser(system.user)) {
    const options = ["--system", "--user-group", "--home-dir", system.stateDir, "--shell", "/usr/sbin/nologin"];
    await runManager(["useradd", ...options, system.user], "/", signal);
  }
  await mkdir(dirname(system.environmentFile), { recursive: true });
  // Settings may have been put there before.
  const settings = await readFile(system.environmentFile, "utf8").catch(() => "");
  if (/^BOXRUN_TOKEN=/m.test(settings)) return;
  const token = `BOXRUN_TOKEN=${randomBytes(24).toString("hex")}\n`;
  const end = settings === "" || settings.endsWith("\n") ? "" : "\n";
  await writeFile(system.environmentFile, `${settings}${end}${token}`, { mode: 0o600 });
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
