import { accessSync, constants, existsSync, lstatSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Finding } from "@boxrun/contract";
import { z } from "zod";
import { type GuestPackage, locatePart } from "../guest-package.ts";
import { fail, ok, reason, warn } from "./finding.ts";
import { nearestExisting } from "./host.ts";

/** Must be ours alone: whoever opens the socket in it drives the server. */
export function checkStateDir(stateDir: string): Finding {
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

export function checkSocket(socketPath: string): Finding {
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

const parts = [
  { name: "guest kernel", folder: "guest", directory: (key: string) => key },
  { name: "base image", folder: "images", directory: (key: string) => `base-${key}` },
] as const;

/** What a checkout builds, and a package brings: `current.json` names a directory beside it. */
export function checkBuilt(cacheDir: string, guest?: GuestPackage): Finding[] {
  return parts.map(({ name, folder, directory }) => {
    const read = (root: string) => {
      const { key } = pointerSchema.parse(JSON.parse(readFileSync(join(root, "current.json"), "utf8")));
      const path = join(root, directory(key));
      accessSync(path);
      return path;
    };
    try {
      return ok(name, locatePart({ operation: `find the ${name}`, folder, cacheDir, read }, guest));
    } catch (error) {
      return fail(name, reason(error), "Boxes on this host can't be made without it.");
    }
  });
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}
