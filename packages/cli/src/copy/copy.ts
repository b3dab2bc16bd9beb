import { mkdir } from "node:fs/promises";
import { basename, dirname, posix, resolve } from "node:path";
import { BoxRunError, boxUser } from "@boxrun/contract/plain";
import { CliError } from "../failure.ts";
import type { Session } from "../session.ts";
import { boxTree, boxTreeBytes, openBoxFile } from "./box-file.ts";
import { type ByteString, bytesOfText } from "./bytes.ts";
import { HostDirectory } from "./host-directory.ts";
import { hostFailure } from "./host-failure.ts";
import { hostKind, placeFileExactly, writeHostFile } from "./host-file.ts";
import { openSourceDirectory, openSourceFile } from "./host-source.ts";
import { hostTreeBytes } from "./host-tree.ts";
import type { Incomplete } from "./incomplete.ts";
import { type BoxPath, kindInBox, wantedAs } from "./location.ts";
import type { CopyMeter } from "./meter.ts";
import { type PackedFile, packedHostFile, packFile, packTree, repack } from "./pack.ts";
import { unpackDirectory } from "./unpack.ts";

/** What a copy works with. */
export interface Copy extends Session {
  readonly meter: CopyMeter;
  readonly incomplete: Incomplete;
  /** `USER[:GROUP]` of the box; `undefined`: whose it is by itself. */
  readonly owner: string | undefined;
  /** A symlink that is named as the source is followed wherever it leads. */
  readonly followLinks: boolean;
}

/**
 * The three ways of a copy. A source goes to the destination's very name, or into it where that is a directory; so does cp. All travels
 * as tar, because that is what carries modes and times.
 */
export async function copyToBox(copy: Copy, from: string, to: BoxPath): Promise<void> {
  const { client, meter, reporter, signal, incomplete, followLinks, owner = boxUser } = copy;
  const kind = await hostKind(from);
  const name = basename(resolve(from));
  if (kind === "directory") {
    await using directory = await openSourceDirectory(from, followLinks);
    const target = await directoryTarget(copy, to, wantedAs(from) === "content" ? undefined : name);
    meter.expect(() => hostTreeBytes(from));
    const onLeftOut = (path: string) =>
      reporter.note(`Left out: ${path}: it is no file, directory or symlink`, { path });
    const onUnreadable = (path: string, error: unknown) => incomplete.add(path, hostFailure(error).message);
    const { rootName, parent } = rootOf(target);
    const tree = packTree(directory, { rootName, count: meter.count, onLeftOut, onUnreadable });
    await client.files.uploadArchive(to.box, parent, tree, { signal, owner });
  } else if (kind === "file" && wantedAs(from) === "named") {
    await using file = await openSourceFile(from, followLinks);
    const target = await fileTarget(copy, to, name);
    const packed = await packedHostFile(file, from, target.name);
    await uploadFile(copy, to.box, target.directory, packed, owner);
  } else if (wantedAs(from) !== "named" && (await hostKind(resolve(from))) !== "nothing") {
    throw new CliError("HOST_FILE", `${from} is not a directory`);
  } else {
    throw new CliError("HOST_FILE", `There is no ${kind === "nothing" ? "file" : "regular file"} ${from} on this host`);
  }
}

export async function copyFromBox(copy: Copy, from: BoxPath, to: string): Promise<void> {
  const { client, meter, reporter, signal } = copy;
  const kind = await kindInBox(client, from, signal);
  const name = posix.basename(from.path);
  const targetKind = await hostKind(to);
  const isInto = targetKind === "directory" || wantedAs(to) !== "named";
  if (kind === "directory") {
    if (targetKind === "file" || targetKind === "other") throw new CliError("HOST_FILE", `${to} is not a directory`);
    const isContent = from.as === "content" || name === "";
    const { base, under } = hostTarget(to, isInto, targetKind === "directory", isContent ? undefined : name);
    await mkdir(base, { recursive: true }).catch((error: unknown) => {
      throw hostFailure(error);
    });
    const directory = await HostDirectory.open(base);
    if (under !== undefined) await requireNoLink(directory, under);
    meter.expect(() => boxTreeBytes(client, from, signal));
    const tree = boxTree(client, from, copy);
    const leftOut = await unpackDirectory(tree, directory, { count: meter.count, under });
    for (const why of leftOut) reporter.note(`Left out: ${why}`, {});
  } else {
    requireFile(kind, from);
    if (isInto && targetKind !== "directory") throw new CliError("HOST_FILE", `There is no directory ${to}`);
    const { content, ...file } = await openBoxFile(client, from, bytesOfText(name), copy);
    meter.expect(async () => file.sizeBytes);
    if (!isInto) return await writeHostFile(to, meter.count(content), file);
    await using directory = await HostDirectory.open(to);
    await placeFileExactly(directory, file.name, meter.count(content), file);
  }
}

export async function copyBetweenBoxes(copy: Copy, from: BoxPath, to: BoxPath): Promise<void> {
  const { client, meter, signal, owner } = copy;
  const kind = await kindInBox(client, from, signal);
  const name = posix.basename(from.path);
  if (kind === "directory") {
    requireNotBelow(from, to);
    const target = await directoryTarget(copy, to, from.as === "content" ? undefined : name);
    const { rootName, parent } = rootOf(target);
    meter.expect(() => boxTreeBytes(client, from, signal));
    const tree = repack(boxTree(client, from, copy), { rootName, count: meter.count, holes: true });
    await client.files.uploadArchive(to.box, parent, tree, { signal, owner });
  } else {
    requireFile(kind, from);
    const target = await fileTarget(copy, to, name);
    await uploadFile(copy, to.box, target.directory, await openBoxFile(client, from, target.name, copy), owner);
  }
}

interface DirectoryTarget {
  readonly path: string;
  /** What is copied into it is the source's content only; its own mode and time are nobody's business. */
  readonly keepsAttributes: boolean;
}

/** `name` undefined: the source's content, which goes into the destination whether it is there or not. */
async function directoryTarget(
  { client, signal }: Copy,
  to: BoxPath,
  name: string | undefined,
): Promise<DirectoryTarget> {
  const kind = await kindInBox(client, to, signal);
  if (kind === "file") throw new BoxRunError("VALIDATION_ERROR", `${to.path} in ${to.box} is a file, not a directory`);
  if (name === undefined || name === "")
    return { path: to.path, keepsAttributes: kind === "directory" || to.path === "/" };
  const isInto = kind === "directory" || to.as !== "named";
  return { path: isInto ? posix.join(to.path, name) : to.path, keepsAttributes: false };
}

/** Where a tree is unpacked: by way of the directory above it, so that its own mode and time go along. */
function rootOf({ path, keepsAttributes }: DirectoryTarget): {
  readonly rootName: ByteString | undefined;
  readonly parent: string;
} {
  return keepsAttributes
    ? { rootName: undefined, parent: path }
    : { rootName: bytesOfText(posix.basename(path)), parent: posix.dirname(path) };
}

/** The directory of this host in which `under` is made for what is copied; without it, that is copied into the directory itself. */
function hostTarget(
  to: string,
  isInto: boolean,
  isThere: boolean,
  name: string | undefined,
): { readonly base: string; readonly under: ByteString | undefined } {
  if (name !== undefined && isInto) return { base: to, under: bytesOfText(name) };
  const last = basename(resolve(to));
  if (isThere || last === "") return { base: to, under: undefined };
  return { base: dirname(resolve(to)), under: bytesOfText(last) };
}

/** What has the name in a directory may be anybody's, and is not what the user named: nothing is written through it. */
async function requireNoLink(directory: HostDirectory, name: ByteString): Promise<void> {
  const stat = await directory.lstat(name);
  if (stat === undefined || stat.isDirectory()) return;
  const what = stat.isSymbolicLink() ? "is a symlink, and nothing is written through it" : "is not a directory";
  await directory[Symbol.asyncDispose]();
  throw new CliError("HOST_FILE", `${directory.below(name)} ${what}`);
}

async function fileTarget(
  { client, signal }: Copy,
  to: BoxPath,
  name: string,
): Promise<{ readonly directory: string; readonly name: ByteString }> {
  const isInto = to.as !== "named" || (await kindInBox(client, to, signal)) === "directory";
  return isInto
    ? { directory: to.path, name: bytesOfText(name) }
    : { directory: posix.dirname(to.path), name: bytesOfText(posix.basename(to.path)) };
}

async function uploadFile(
  { client, meter, signal }: Copy,
  box: string,
  directory: string,
  file: PackedFile,
  owner: string | undefined,
): Promise<void> {
  meter.expect(async () => file.sizeBytes);
  const tar = packFile({ ...file, content: meter.count(file.content) });
  await client.files.uploadArchive(box, directory, tar, { signal, owner });
}

function requireFile(kind: "file" | "nothing", { box, path, as }: BoxPath): void {
  if (kind === "nothing") throw new BoxRunError("FILE_NOT_FOUND", `There is no ${path} in ${box}`);
  if (as !== "named") throw new BoxRunError("VALIDATION_ERROR", `${path} in ${box} is not a directory`);
}

/** It would copy what it has just written, without end. */
function requireNotBelow(from: BoxPath, to: BoxPath): void {
  if (from.box === to.box && `${to.path}/`.startsWith(from.path === "/" ? "/" : `${from.path}/`)) {
    throw new CliError("USAGE", `${to.path} lies in ${from.path}: a directory can't be copied into itself`);
  }
}
