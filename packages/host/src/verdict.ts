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

interface Subject {
  readonly cacheDir: string;
  readonly name: string;
  /** Of what was tried. */
  readonly version: string;
}

/** As `keptFinding`; a failure is kept only unless `keepsFailure` is false. */
export async function keptVerdict(
  subject: Subject & { readonly keepsFailure?: boolean },
  find: () => Promise<HostVerdict>,
): Promise<HostVerdict> {
  const keeps = ({ works }: HostVerdict) => works || subject.keepsFailure !== false;
  return await keptFinding({ ...subject, parse: parseVerdict, keeps }, find);
}

function parseVerdict(json: unknown): HostVerdict {
  if (typeof json === "object" && json !== null && "works" in json && "why" in json) {
    const { works, why } = json;
    if (typeof works === "boolean" && typeof why === "string") return { works, why };
  }
  throw new Error("no verdict");
}

/**
 * What `find` finds, and what it found before if that was since the host booted and for the same `version` of what was tried.
 * Kept in `<cacheDir>/probe`; what can't be kept, or read, is found again, and two that look at once write the same.
 */
export async function keptFinding<T>(
  subject: Subject & { readonly parse: (json: unknown) => T; readonly keeps: (found: T) => boolean },
  find: () => Promise<T>,
): Promise<T> {
  const key = createHash("sha256").update(`${hostBootId()}\0${subject.version}`).digest("hex").slice(0, 32);
  const file = join(subject.cacheDir, "probe", `${subject.name}-${key}.json`);
  try {
    return subject.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    // Not tried yet.
  }
  const found = await find();
  if (subject.keeps(found)) await write(file, found);
  return found;
}

async function write(file: string, found: unknown): Promise<void> {
  const scratch = `${file}.${process.pid}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(scratch, JSON.stringify(found));
    await rename(scratch, file);
  } catch {
    await rm(scratch, { force: true }).catch(() => undefined);
  }
}
