import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { hostArchitecture } from "../oci/platform.ts";
import { writeLayer } from "../oci/write-layer.ts";
import { writeImage, writeLayoutFiles } from "../oci/write-layout.ts";
import type { AptSource } from "./apt-sources.ts";
import { checkPackages, chooseSource, makeDebianRoot } from "./root.ts";
import { runTool } from "./run-tool.ts";

/** Raise it when what is built from the same options changes. */
const builderVersion = 1;

const operation = "build the Debian image";

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface BuildDebianOptions {
  /** Where the OCI layout tar goes, ready for `boxrun images import`. */
  readonly outFile: string;
  /** A built image is kept here and taken again for the same options. */
  readonly cacheDir: string;
  /** `bookworm`, `trixie`, … Default: the host's own. */
  readonly suite?: string;
  /** Packages besides the minimal system. Default: python3 (bash is always there). */
  readonly packages?: readonly string[];
  /** Where packages come from. Default: the mirror that this host's apt is configured with. */
  readonly mirror?: string;
  /** Build it even if the cache has it, so that it gets the packages of today. */
  readonly refresh?: boolean;
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface DebianImage {
  /** The name that the archive gives the image. */
  readonly reference: string;
  /** Bytes of the archive. */
  readonly sizeBytes: number;
}

/**
 * Makes a small Debian image with debootstrap, for people without a registry. Takes a minute or two and some 120 MB of downloads.
 * Needs root, because a Debian root file system has owners and devices.
 *
 * VALIDATION_ERROR for options that make no sense; RUNTIME_ERROR, with what to do, without root or debootstrap, and with the tool's own last lines
 * when it fails. Nothing is left but the archive and its copy in the cache.
 */
export async function buildDebianImage(options: BuildDebianOptions): Promise<DebianImage> {
  const { outFile, cacheDir, log = () => undefined, signal = new AbortController().signal } = options;
  const source = await chooseSource(options, operation);
  const packages = [...new Set(options.packages ?? ["python3"])].sort();
  checkPackages(packages);
  const reference = `boxrun-debian:${source.suite}`;
  const inputs = [builderVersion, hostArchitecture, source.suite, source.mirror, ...packages];
  const key = createHash("sha256").update(JSON.stringify(inputs)).digest("hex");
  const cached = join(cacheDir, "images", `debian-${key}.tar`);
  if (options.refresh === true || !(await exists(cached))) {
    await build({ source, packages, reference, target: cached, log, signal });
  } else {
    log(`taken from the cache: ${cached}`);
  }
  await mkdir(dirname(outFile), { recursive: true });
  await replaceFile(outFile, (scratch) => copyFile(cached, scratch, constants.COPYFILE_FICLONE));
  return { reference, sizeBytes: (await stat(outFile)).size };
}

interface Build {
  readonly source: AptSource;
  readonly packages: readonly string[];
  readonly reference: string;
  readonly target: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

async function build({ source, packages, reference, target, log, signal }: Build): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const scratch = await mkdtemp(join(dirname(target), ".debian-"));
  try {
    const root = join(scratch, "root");
    const layout = join(scratch, "layout");
    await makeDebianRoot(root, { source, packages, operation, log, signal });
    log("packing the layer");
    const { layer, diffId } = await packRoot(root, layout, signal);
    const config = { Env: [`PATH=${path}`], WorkingDir: "/root", Cmd: ["/bin/bash"] };
    const manifest = await writeImage(layout, { layer, diffId, config, created: new Date().toISOString() });
    await writeLayoutFiles(layout, manifest, reference);
    await replaceFile(target, (file) =>
      runTool("tar", ["-C", layout, "--sort=name", "-cf", file, "."], { operation, signal }),
    );
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function packRoot(root: string, layout: string, signal: AbortSignal) {
  const args = ["-C", root, "--numeric-owner", "--xattrs", "--one-file-system", "--sort=name", "-cf", "-", "."];
  const tar = spawn("tar", args, { stdio: ["ignore", "pipe", "pipe"], signal, killSignal: "SIGKILL" });
  tar.stderr.resume();
  const ended = new Promise<number | null>((resolve, reject) => {
    tar.once("error", reject);
    tar.once("close", resolve);
  });
  const [layer, code] = await Promise.all([writeLayer(layout, tar.stdout, { level: 5, signal }), ended]);
  if (code !== 0) throw new BoxRunError("RUNTIME_ERROR", `${operation}: tar ended with ${code}`);
  return layer;
}

/** Makes a file beside its place and moves it there when it is complete. */
async function replaceFile(file: string, make: (scratch: string) => Promise<void>): Promise<void> {
  const scratch = `${file}.${process.pid}.tmp`;
  try {
    await make(scratch);
    await rename(scratch, file);
  } finally {
    await rm(scratch, { force: true });
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
