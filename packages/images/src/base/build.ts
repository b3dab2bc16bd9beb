import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBoxRunError } from "@boxrun/contract";
import { isErrno } from "@boxrun/host";
import { pack } from "tar-stream";
import { writeLayer } from "../oci/write-layer.ts";
import { writeImage } from "../oci/write-layout.ts";
import { findBusybox, readBusybox } from "./busybox.ts";
import { type BasePointer, baseCacheDir, baseLayoutDir, basePointerFile } from "./cache.ts";
import { unpackBasePackages } from "./packages.ts";
import { readPrograms } from "./programs.ts";
import { type BaseParts, basePath, baseRootfs, hasBash, type RootEntry, shellSetUp } from "./rootfs.ts";

/** Raise it when what is built from the same files changes. */
const builderVersion = 3;

/** The time stamp of every file, so that the same files give the same image. */
const timestamp = new Date("2024-01-01T00:00:00Z");

const hostCertificates = "/etc/ssl/certs/ca-certificates.crt";

export interface BuildBaseOptions {
  readonly cacheDir: string;
  readonly log?: (line: string) => void;
  /**
   * What it is made of: a static busybox, a file, a bundle of certificates, and a directory with `basePackages` in it. Default: what this host has,
   * and its apt.
   */
  readonly from?: { readonly busyboxFile: string; readonly certificates: Buffer; readonly packagesDir: string };
}

/**
 * Builds the image that ships with BoxRun: busybox, bash, jq and make, a few accounts and directories, and the host's CA certificates, if it has any.
 * On a host whose apt gives no packages it is built without those three programs, and the log says so.
 * Goes to `<cacheDir>/images/base-<sha256 of all inputs>`, and `current.json` there is pointed at it. Does nothing when that is there
 * already; safe to run twice at once. Returns the OCI layout directory.
 */
export async function buildBaseImage(options: BuildBaseOptions): Promise<string> {
  const log = options.log ?? (() => undefined);
  const parts = await (options.from === undefined ? partsOfHost(options.cacheDir, log) : partsFrom(options.from));
  const entries = baseRootfs(parts);
  const key = keyOf(entries);
  const layoutDir = baseLayoutDir(options.cacheDir, key);
  if (await exists(join(layoutDir, "index.json"))) {
    log(`the base image is up to date: ${layoutDir}`);
  } else {
    const shell = hasBash(parts.programs) ? "/bin/bash" : "/bin/sh";
    await build(entries, { shell, cacheDir: options.cacheDir, layoutDir });
    log(`built the base image: ${layoutDir}`);
  }
  await point(options.cacheDir, key);
  return layoutDir;
}

async function partsFrom(from: NonNullable<BuildBaseOptions["from"]>): Promise<BaseParts> {
  return {
    busybox: await readBusybox(from.busyboxFile),
    certificates: from.certificates,
    programs: await readPrograms(from.packagesDir),
  };
}

async function partsOfHost(cacheDir: string, log: (line: string) => void): Promise<BaseParts> {
  return {
    busybox: await findBusybox(log),
    certificates: await readFile(hostCertificates).catch(() => undefined),
    programs: await programsOfHost(cacheDir, log),
  };
}

/** A checkout on a host without apt, or one that is offline, has a base image all the same. */
async function programsOfHost(cacheDir: string, log: (line: string) => void): Promise<readonly RootEntry[]> {
  const scratch = await mkdtemp(join(tmpdir(), "boxrun-base-"));
  try {
    return await readPrograms(await unpackBasePackages(scratch, { cacheDir, log }));
  } catch (error) {
    log(`it will have neither bash nor jq nor make: ${toBoxRunError(error).message}`);
    return [];
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

interface Build {
  /** What the image runs by itself. */
  readonly shell: string;
  readonly cacheDir: string;
  readonly layoutDir: string;
}

async function build(entries: readonly RootEntry[], { shell, cacheDir, layoutDir }: Build): Promise<void> {
  await mkdir(baseCacheDir(cacheDir), { recursive: true });
  const scratch = await mkdtemp(join(baseCacheDir(cacheDir), ".build-"));
  try {
    const tar = pack();
    const packed = packEntries(tar, entries);
    const [{ layer, diffId }] = await Promise.all([writeLayer(scratch, tar, { level: 9 }), packed]);
    const config = { Env: [`PATH=${basePath}`, `ENV=${shellSetUp}`], WorkingDir: "/root", Cmd: [shell] };
    await writeImage(scratch, { layer, diffId, config, created: timestamp.toISOString() });
    await rename(scratch, layoutDir).catch((error: unknown) => {
      // Another build of the same files was faster: its directory holds the same.
      if (!isErrno(error, "ENOTEMPTY") && !isErrno(error, "EEXIST")) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function packEntries(tar: ReturnType<typeof pack>, entries: readonly RootEntry[]): Promise<void> {
  for (const entry of entries) {
    const common = { name: entry.path, mtime: timestamp, uname: "", gname: "" };
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error | null) => (error ? reject(error) : resolve());
      if (entry.type === "file") tar.entry({ ...common, mode: entry.mode }, entry.content, done);
      else if (entry.type === "symlink") tar.entry({ ...common, type: "symlink", linkname: entry.target }, done);
      else tar.entry({ ...common, type: "directory", mode: entry.mode, ...owner(entry.owner ?? 0) }, done);
    });
  }
  tar.finalize();
}

function owner(id: number): { uid: number; gid: number } {
  return { uid: id, gid: id };
}

function keyOf(entries: readonly RootEntry[]): string {
  const hash = createHash("sha256").update(`builder ${builderVersion} node ${process.versions.zlib} ${process.arch}\0`);
  for (const entry of entries) {
    const content = entry.type === "file" ? entry.content : Buffer.alloc(0);
    hash.update(`${JSON.stringify({ ...entry, content: content.length })}\0`).update(content);
  }
  return hash.digest("hex");
}

async function point(cacheDir: string, key: string): Promise<void> {
  const pointer: BasePointer = { version: 1, key };
  const file = basePointerFile(cacheDir);
  const text = JSON.stringify(pointer, null, 2);
  if ((await readFile(file, "utf8").catch(() => "")) === text) return;
  const scratch = `${file}.${process.pid}`;
  await writeFile(scratch, text);
  await rename(scratch, file);
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
