import { basename, join, posix, resolve } from "node:path";
import { BoxRunError } from "@boxrun/contract/plain";
import { CliError } from "../failure.ts";
import type { Session } from "../session.ts";
import { boxDirectory, boxTreeSize, openBoxFile } from "./box-file.ts";
import { hostKind, makeHostDirectory, setHostAttributes, writeHostFile } from "./host-file.ts";
import { hostTreeBytes } from "./host-tree.ts";
import { type BoxPath, kindInBox, wantedAs } from "./location.ts";
import type { CopyMeter } from "./meter.ts";
import { openHostFile, type PackedFile, packDirectory, packFile, packTree } from "./pack.ts";
import { unpackDirectory } from "./unpack.ts";

/** What a copy works with. */
export interface Copy extends Session {
  readonly meter: CopyMeter;
}

/**
 * The three ways of a copy. A source goes to the destination's very name, or into it where that is a directory; so does cp. All travels
 * as tar, because that is what carries modes and times.
 */
export async function copyToBox(copy: Copy, from: string, to: BoxPath): Promise<void> {
  const { client, meter, reporter, signal } = copy;
  const kind = await hostKind(from);
  const name = basename(resolve(from));
  if (kind === "directory") {
    const target = await directoryTarget(copy, to, wantedAs(from) === "content" ? undefined : name);
    meter.expect(() => hostTreeBytes(from));
    const onLeftOut = (path: string) =>
      reporter.note(`Left out: ${path}: it is no file, directory or symlink`, { path });
    // By way of the directory above it, so that its own mode and time go along.
    const parent = target.keepsAttributes ? target.path : posix.dirname(target.path);
    const rootName = target.keepsAttributes ? undefined : posix.basename(target.path);
    const tree = packTree(from, { rootName, count: meter.count, onLeftOut });
    await client.files.uploadArchive(to.box, parent, tree, { signal });
  } else if (kind === "file") {
    const target = await fileTarget(copy, to, name);
    await uploadFile(copy, to.box, target.directory, await openHostFile(from, target.name));
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
    const keepsAttributes = from.as === "content" && targetKind === "directory";
    const target = isInto && from.as !== "content" ? join(to, name) : to;
    const attributes = keepsAttributes ? undefined : await boxDirectory(client, from, signal);
    await makeHostDirectory(target);
    meter.expect(async () => (await boxTreeSize(client, from, signal))?.contentBytes);
    const { content } = await client.files.downloadArchive(from.box, from.path, { signal });
    for (const why of await unpackDirectory(content, target, meter.count)) reporter.note(`Left out: ${why}`, {});
    if (attributes !== undefined) await setHostAttributes(target, attributes);
  } else {
    requireFile(kind, from);
    if (isInto && targetKind !== "directory") throw new CliError("HOST_FILE", `There is no directory ${to}`);
    const file = await openBoxFile(client, from, name, signal);
    meter.expect(async () => file.sizeBytes);
    await writeHostFile(isInto ? join(to, name) : to, meter.count(file.content), file);
  }
}

export async function copyBetweenBoxes(copy: Copy, from: BoxPath, to: BoxPath): Promise<void> {
  const { client, meter, signal } = copy;
  const kind = await kindInBox(client, from, signal);
  const name = posix.basename(from.path);
  if (kind === "directory") {
    requireNotBelow(from, to);
    const target = await directoryTarget(copy, to, from.as === "content" ? undefined : name);
    const attributes = target.keepsAttributes ? undefined : await boxDirectory(client, from, signal);
    meter.expect(async () => (await boxTreeSize(client, from, signal))?.archiveBytes);
    const { content } = await client.files.downloadArchive(from.box, from.path, { signal });
    await client.files.uploadArchive(to.box, target.path, meter.count(content), { signal });
    if (attributes === undefined || target.path === "/") return;
    const directory = packDirectory({ name: posix.basename(target.path), ...attributes });
    await client.files.uploadArchive(to.box, posix.dirname(target.path), directory, { signal });
  } else {
    requireFile(kind, from);
    const target = await fileTarget(copy, to, name);
    await uploadFile(copy, to.box, target.directory, await openBoxFile(client, from, target.name, signal));
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
  if (name === undefined) return { path: to.path, keepsAttributes: kind === "directory" || to.path === "/" };
  const isInto = kind === "directory" || to.as !== "named";
  return { path: isInto ? posix.join(to.path, name) : to.path, keepsAttributes: false };
}

async function fileTarget(
  { client, signal }: Copy,
  to: BoxPath,
  name: string,
): Promise<{ readonly directory: string; readonly name: string }> {
  const isInto = to.as !== "named" || (await kindInBox(client, to, signal)) === "directory";
  return isInto ? { directory: to.path, name } : { directory: posix.dirname(to.path), name: posix.basename(to.path) };
}

async function uploadFile(
  { client, meter, signal }: Copy,
  box: string,
  directory: string,
  file: PackedFile,
): Promise<void> {
  meter.expect(async () => file.sizeBytes);
  const tar = packFile({ ...file, content: meter.count(file.content) });
  await client.files.uploadArchive(box, directory, tar, { signal });
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
