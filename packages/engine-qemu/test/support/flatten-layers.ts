import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { flattenImage } from "../../src/flatten/flatten.ts";

const run = promisify(execFile);

/** One entry of a layer's tar, written byte by byte: the code under test has no part in it. */
export interface LayerEntry {
  readonly name: string;
  /** The header's type flag; default `0`, a file. */
  readonly flag?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly link?: string;
  readonly content?: string | Buffer;
  readonly dev?: readonly [major: number, minor: number];
  /** Records of a PAX header before it. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
  /** Header fields spoilt on purpose. */
  readonly patch?: (header: Buffer) => void;
  /** What the size field says where that is not the content's length. */
  readonly size?: number;
}

export const file = (name: string, content = name, more: Partial<LayerEntry> = {}): LayerEntry => ({
  name,
  content,
  ...more,
});
export const dir = (name: string, more: Partial<LayerEntry> = {}): LayerEntry => ({
  name,
  flag: "5",
  mode: 0o755,
  ...more,
});
export const symlink = (name: string, link: string): LayerEntry => ({ name, flag: "2", mode: 0o777, link });
export const hardlink = (name: string, link: string): LayerEntry => ({ name, flag: "1", link });

export function layerTar(entries: readonly LayerEntry[]): Buffer {
  return Buffer.concat([...entries.map(encode), Buffer.alloc(1024)]);
}

/** What GNU tar makes of a directory's content. */
export async function gnuTar(dir: string, ...options: readonly string[]): Promise<Buffer> {
  const { stdout } = await run("tar", [...options, "-C", dir, "--owner=0", "--group=0", "-cf", "-", "."], {
    encoding: "buffer",
    maxBuffer: 2 ** 26,
  });
  return stdout;
}

function encode(entry: LayerEntry): Buffer {
  const content = Buffer.from(entry.content ?? "");
  const main = Buffer.concat([header(entry, content.length), content, pad(content.length)]);
  if (entry.pax === undefined) return main;
  const records = Buffer.concat(Object.entries(entry.pax).map(([key, value]) => paxRecord(key, Buffer.from(value))));
  return Buffer.concat([header({ name: "pax", flag: "x" }, records.length), records, pad(records.length), main]);
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = rest.length;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return Buffer.concat([Buffer.from(`${length}`), rest]);
}

function header(entry: LayerEntry, contentLength: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
  block.write(entry.name, 0, 100, "utf8");
  octal(entry.mode ?? 0o644, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(entry.size ?? contentLength, 124, 12);
  octal(entry.mtime ?? 1_700_000_000, 136, 12);
  block.write(entry.flag ?? "0", 156, "latin1");
  block.write(entry.link ?? "", 157, 100, "utf8");
  block.write("ustar\x0000", 257, "latin1");
  octal(entry.dev?.[0] ?? 0, 329, 8);
  octal(entry.dev?.[1] ?? 0, 337, 8);
  entry.patch?.(block);
  block.fill(" ", 148, 156);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    8,
  );
  return block;
}

function pad(length: number): Buffer {
  return Buffer.alloc((512 - (length % 512)) % 512);
}

/** A directory that goes with the test. */
export async function scratchDir(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "boxrun-flatten-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** An OCI layout of these stored layers. */
export async function writeLayout(layers: readonly Buffer[]): Promise<string> {
  const layoutDir = join(await scratchDir(), "layout");
  await mkdir(join(layoutDir, "blobs/sha256"), { recursive: true });
  const put = async (content: Buffer) => {
    const hex = createHash("sha256").update(content).digest("hex");
    await writeFile(join(layoutDir, "blobs/sha256", hex), content);
    return { mediaType: "application/octet-stream", digest: `sha256:${hex}`, size: content.length };
  };
  const descriptors = [];
  for (const layer of layers) descriptors.push(await put(layer));
  const manifest = await put(Buffer.from(JSON.stringify({ schemaVersion: 2, layers: descriptors })));
  await writeFile(join(layoutDir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  return layoutDir;
}

/** Flattens layers; returns the squashfs. */
export async function flatten(layers: readonly Buffer[], signal = new AbortController().signal): Promise<string> {
  const outFile = join(await scratchDir(), "image.squashfs");
  await flattenImage({ layoutDir: await writeLayout(layers), outFile, signal });
  return outFile;
}

/** Path → `mode uid/gid size-or-device`, as `unsquashfs -lln` says it, with a symlink's target; the root is "". */
export async function list(squashfs: string): Promise<Record<string, string>> {
  const { stdout } = await run("unsquashfs", ["-lln", squashfs], { encoding: "latin1" });
  const entries: Record<string, string> = {};
  for (const line of stdout.split("\n")) {
    const match = /^(\S{10}) (\d+\/\d+) +(\d+, *\d+|\d+) \S+ \S+ squashfs-root(?:\/(.*?))?( -> .*)?$/.exec(line);
    if (match === null) continue;
    const [, mode = "", owner, sizeOrDevice = "", path = "", target = ""] = match;
    const number = mode.startsWith("d") || mode.startsWith("l") ? "" : ` ${sizeOrDevice.replace(/, */, ",")}`;
    entries[Buffer.from(path, "latin1").toString()] = `${mode} ${owner}${number}${target}`;
  }
  return entries;
}

/** Paths alone, sorted. */
export async function paths(squashfs: string): Promise<string[]> {
  return Object.keys(await list(squashfs))
    .filter((path) => path !== "")
    .sort();
}

export async function cat(squashfs: string, path: string): Promise<string> {
  return (await run("unsquashfs", ["-cat", squashfs, path], { maxBuffer: 2 ** 26 })).stdout;
}

/** Unpacks it; returns where. As root, with owners, devices and xattrs. */
export async function extract(squashfs: string): Promise<string> {
  const target = join(await scratchDir(), "root");
  await run("unsquashfs", ["-quiet", "-no-progress", "-dest", target, squashfs]);
  return target;
}
