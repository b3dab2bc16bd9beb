import { readFile, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import type { VolumeSpec } from "@boxrun/core";

/**
 * BoxLite serves volumes itself, and lets root in a box make there what gives a user of the host the powers of the server's user: setuid programs, and
 * device nodes where that is root. So a volume that a box may write to has to be out of others' reach, or where the host's kernel takes neither for what
 * it is. RUNTIME_ERROR if it is not there; NOT_SUPPORTED, with what to do.
 */
export async function checkVolume({ hostPath, readonly }: VolumeSpec, boxId: string): Promise<void> {
  const operation = `share ${hostPath} with box ${boxId}`;
  let directory: string;
  try {
    directory = await realpath(hostPath);
  } catch (error) {
    throw new BoxRunError("RUNTIME_ERROR", `${operation}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  if (readonly || (await isBehindClosedDoor(directory))) return;
  if (isHarmless(optionsOf(directory, await readFile("/proc/self/mountinfo", "utf8").catch(() => "")))) return;
  throw new BoxRunError(
    "NOT_SUPPORTED",
    `${operation}, for it to write: with BoxLite root in a box can make setuid programs and device nodes there, and other users of this host could use them. ` +
      "Share it read-only, or a directory below one that only you can enter (`chmod 700`), or mount it with nosuid and nodev, or use the engine qemu",
  );
}

/** Whether a directory above it lets nobody else through. Its own mode does not count: the box may change that. */
async function isBehindClosedDoor(directory: string): Promise<boolean> {
  for (let path = directory; path !== "/"; ) {
    path = dirname(path);
    const { mode, gid } = await stat(path);
    const isOwnGroup = gid === process.getgid?.();
    if ((mode & 0o001) === 0 && ((mode & 0o010) === 0 || isOwnGroup)) return true;
  }
  return false;
}

/** The options of the mount in which a path is, as /proc/self/mountinfo has them. */
export function optionsOf(path: string, mountinfo: string): readonly string[] {
  let found: { readonly point: string; readonly options: readonly string[] } = { point: "", options: [] };
  for (const line of mountinfo.split("\n")) {
    const [, , , , escaped, options] = line.split(" ");
    if (escaped === undefined || options === undefined) continue;
    const point = escaped.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const isAbove = point === "/" || path === point || path.startsWith(`${point}/`);
    // Of several at one place the last is on top.
    if (isAbove && point.length >= found.point.length) found = { point, options: options.split(",") };
  }
  return found.options;
}

function isHarmless(options: readonly string[]): boolean {
  return options.includes("nosuid") && options.includes("nodev");
}
