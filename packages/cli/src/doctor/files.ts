import { accessSync, constants, existsSync, lstatSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { homeDir } from "../home.ts";
import { type Check, fail, ok, reason, warn } from "./check.ts";
import { nearestExisting } from "./host.ts";

export function cacheDirOf(env: NodeJS.ProcessEnv): string {
  return resolve(env.BOXRUN_CACHE_DIR || join(homeDir(), ".cache", "boxrun"));
}

/** Must be ours alone: whoever opens the socket in it drives the server. */
export function checkStateDir(stateDir: string): Check {
  const name = "state directory";
  const advice = `Make it yours (\`sudo chown -R "$USER" ${stateDir}\`), or choose another with BOXRUN_STATE_DIR.`;
  try {
    accessSync(nearestExisting(stateDir), constants.W_OK | constants.X_OK);
  } catch (error) {
    return fail(name, `${stateDir} can't be written: ${reason(error)}`, advice);
  }
  if (!existsSync(stateDir)) return ok(name, `${stateDir} will be made`);
  const { mode } = statSync(stateDir);
  if (!statSync(stateDir).isDirectory()) return fail(name, `${stateDir} is no directory`, advice);
  return mode & 0o077
    ? warn(name, `${stateDir} is open to other users (mode ${octal(mode)})`, `\`chmod 700 ${stateDir}\``)
    : ok(name, `${stateDir} is writable`);
}

export function checkSocket(socketPath: string): Check {
  const name = "socket";
  const found = lstatSync(socketPath, { throwIfNoEntry: false });
  if (found === undefined) return ok(name, `${socketPath} will be made`);
  if (!found.isSocket()) {
    return fail(name, `${socketPath} is not a socket`, "Remove it, or choose another place with BOXRUN_SOCKET.");
  }
  return found.mode & 0o077
    ? fail(name, `${socketPath} is open to other users (mode ${octal(found.mode)})`, `\`chmod 600 ${socketPath}\``)
    : ok(name, `${socketPath} is its owner's alone`);
}

const pointerSchema = z.object({ key: z.string().regex(/^[0-9a-f]+$/) });

/** What set-up builds: `current.json` names a directory beside it. */
export function checkBuilt(cacheDir: string): Check[] {
  const built = [
    { name: "guest kernel", folder: join(cacheDir, "guest"), directory: (key: string) => key },
    { name: "base image", folder: join(cacheDir, "images"), directory: (key: string) => `base-${key}` },
  ];
  return built.map(({ name, folder, directory }) => {
    const advice = "Build it: `npm run setup` in the BoxRun checkout.";
    try {
      const { key } = pointerSchema.parse(JSON.parse(readFileSync(join(folder, "current.json"), "utf8")));
      const path = join(folder, directory(key));
      return existsSync(path) ? ok(name, path) : fail(name, `${path} is gone`, advice);
    } catch {
      return fail(name, `none is built in ${folder}`, advice);
    }
  });
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}
