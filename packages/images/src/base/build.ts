import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@boxrun/host";
import { pack } from "tar-stream";
import { writeLayer } from "../oci/write-layer.ts";
import { writeImage } from "../oci/write-layout.ts";
import { findBusybox, readBusybox } from "./busybox.ts";
import { type BasePointer, baseCacheDir, baseLayoutDir, basePointerFile } from "./cache.ts";
import { basePath, baseRootfs, type RootEntry, shellSetUp } from "./rootfs.ts";

/** Raise it when what is built from the same files changes. */
const builderVersion = 2;

/** The time stamp of every file, so that the same files give the same image. */
const timestamp = new Date("2024-01-01T00:00:00Z");

const hostCertificates = "/etc/ssl/certs/ca-certificates.crt";

export interface BuildBaseOptions {
  readonly cacheDir: string;
  readonly log?: (line: string) => void;
  /** What it is made of: a static busybox, a file, and a bundle of certificates. Default: what this host has. */
  readonly from?: { readonly busyboxFile: string; readonly certificates: Buffer };
}

/**
 * Builds the image that ships with BoxRun: busybox, a few accounts and directories, and the host's CA certificates, if it has any.
 * Goes to `<cacheDir>/images/base-<sha256 of all inputs>`, and `current.json` there is pointed at it. Does nothing when that is there
 * already; safe to run twice at once. Returns the OCI layout directory.
 */
export async function buildBaseImage(options: BuildBaseOptions): Promise<string> {
  const log = options.log ?? (() => undefined);
  const busybox = options.from === undefined ? await findBusybox(log) : await readBusybox(options.from.busyboxFile);
  const certificates = options.from?.certificates ?? (await readFile(hostCertificates).catch(() => undefined));
  const entries = baseRootfs(busybox, certificates);
  const key = keyOf(entries);
  const layoutDir = baseLayoutDir(options.cacheDir, key);
  if (await exists(join(layoutDir, "index.json"))) {
    log(`the base image is up to date: ${layoutDir}`);
  } else {
    await build(entries, options.cacheDir, layoutDir);
    log(`built the base image: ${layoutDir}`);
  }
  await point(options.cacheDir, key);
  return layoutDir;
}

async function build(entries: readonly RootEntry[], cacheDir: string, layoutDir: string): Promise<void> {
  await mkdir(baseCacheDir(cacheDir), { recursive: true });
  const scratch = await mkdtemp(join(baseCacheDir(cacheDir), ".build-"));
  try {
    const tar = pack();
    const packed = packEntries(tar, entries);
    const [{ layer, diffId }] = await Promise.all([writeLayer(scratch, tar, { level: 9 }), packed]);
    const config = { Env: [`PATH=${basePath}`, `ENV=${shellSetUp}`], WorkingDir: "/root", Cmd: ["/bin/sh"] };
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
