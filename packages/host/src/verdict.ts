import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hostBootId } from "./boot-id.ts";

/** Whether something works on this host, found out by trying it. */
export interface HostVerdict {
  readonly works: boolean;
  /** For a person: how that is known. */
  readonly why: string;
}

/**
 * What `find` finds, and what it found before if that was since the host booted and for the same `version` of what was tried.
 * Kept in `<cacheDir>/probe`, a failure only unless `keepsFailure` is false; a verdict that can't be kept is found again, and two that look at once write the same.
 */
export async function keptVerdict(
  subject: {
    readonly cacheDir: string;
    readonly name: string;
    readonly version: string;
    readonly keepsFailure?: boolean;
  },
  find: () => Promise<HostVerdict>,
): Promise<HostVerdict> {
  const key = createHash("sha256").update(`${hostBootId()}\0${subject.version}`).digest("hex").slice(0, 32);
  const file = join(subject.cacheDir, "probe", `${subject.name}-${key}.json`);
  const known = await read(file);
  if (known !== undefined) return known;
  const found = await find();
  if (found.works || subject.keepsFailure !== false) await write(file, found);
  return found;
}

async function read(file: string): Promise<HostVerdict | undefined> {
  try {
    const { works, why } = JSON.parse(await readFile(file, "utf8"));
    return typeof works === "boolean" && typeof why === "string" ? { works, why } : undefined;
  } catch {
    return undefined;
  }
}

async function write(file: string, verdict: HostVerdict): Promise<void> {
  const scratch = `${file}.${process.pid}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(scratch, JSON.stringify(verdict));
    await rename(scratch, file);
  } catch {
    await rm(scratch, { force: true }).catch(() => undefined);
  }
}
