import { basename, join, posix, resolve } from "node:path";
import { BoxRunError } from "@boxrun/contract/plain";
import { CliError } from "../failure.ts";
import { write } from "../output/streams.ts";
import type { Session } from "../session.ts";
import { hostKind, makeHostDirectory, openHostFile, writeHostFile } from "./host-file.ts";
import { type BoxPath, kindInBox, wantedAs } from "./location.ts";
import { type PackedFile, packDirectory, packFile } from "./pack.ts";
import { unpackDirectory } from "./unpack.ts";

/**
 * The three ways of a copy. A source goes to the destination's very name, or into it where that is a directory; so does cp. Files travel
 * as tars too, because that is what carries their modes.
 */
export async function copyToBox({ client, signal }: Session, from: string, to: BoxPath): Promise<void> {
  const kind = await hostKind(from);
  const name = basename(resolve(from));
  if (kind === "directory") {
    const target = await directoryTarget(client, to, wantedAs(from) === "content" ? undefined : name, signal);
    await client.files.uploadArchive(to.box, target, packDirectory(from), { signal });
  } else if (kind === "file") {
    const target = await fileTarget(client, to, name, signal);
    await uploadFile(client, to.box, target.directory, await openHostFile(from, target.name), signal);
  } else {
    throw new CliError("HOST_FILE", `There is no ${kind === "nothing" ? "file" : "regular file"} ${from} on this host`);
  }
}

export async function copyFromBox({ client, reporter, signal }: Session, from: BoxPath, to: string): Promise<void> {
  const kind = await kindInBox(client, from, signal);
  const name = posix.basename(from.path);
  const targetKind = await hostKind(to);
  const isInto = targetKind === "directory" || wantedAs(to) !== "named";
  if (kind === "directory") {
    if (targetKind === "file" || targetKind === "other") throw new CliError("HOST_FILE", `${to} is not a directory`);
    const target = isInto && from.as !== "content" ? join(to, name) : to;
    await makeHostDirectory(target);
    const { content } = await client.files.downloadArchive(from.box, from.path, { signal });
    for (const why of await unpackDirectory(content, target)) reporter.note(`Left out: ${why}`, {});
  } else {
    requireThere(kind, from);
    if (isInto && targetKind !== "directory") throw new CliError("HOST_FILE", `There is no directory ${to}`);
    const file = await openBoxFile(client, from, name, signal);
    await writeHostFile(isInto ? join(to, name) : to, file.content, file.mode);
  }
}

export async function copyBetweenBoxes({ client, signal }: Session, from: BoxPath, to: BoxPath): Promise<void> {
  const kind = await kindInBox(client, from, signal);
  const name = posix.basename(from.path);
  if (kind === "directory") {
    const target = await directoryTarget(client, to, from.as === "content" ? undefined : name, signal);
    const { content } = await client.files.downloadArchive(from.box, from.path, { signal });
    await client.files.uploadArchive(to.box, target, content, { signal });
  } else {
    requireThere(kind, from);
    const target = await fileTarget(client, to, name, signal);
    await uploadFile(client, to.box, target.directory, await openBoxFile(client, from, target.name, signal), signal);
  }
}

/** Standard input, whose end nobody knows, as a file. */
export async function copyInput({ client, signal }: Session, to: BoxPath): Promise<void> {
  if (to.as !== "named" || (await kindInBox(client, to, signal)) === "directory") {
    throw new CliError("USAGE", `${to.path} is a directory; standard input needs the name of a file`);
  }
  await client.files.upload(to.box, to.path, process.stdin, { signal });
}

/** A file to standard output. */
export async function copyOutput({ client, signal }: Session, from: BoxPath): Promise<void> {
  const { content } = await client.files.download(from.box, from.path, { signal });
  for await (const chunk of content) await write(process.stdout, chunk);
}

type Client = Session["client"];

/** `name` undefined: the source's content, which goes into the destination whether it is there or not. */
async function directoryTarget(
  client: Client,
  to: BoxPath,
  name: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const kind = await kindInBox(client, to, signal);
  if (kind === "file") throw new BoxRunError("VALIDATION_ERROR", `${to.path} in ${to.box} is a file, not a directory`);
  const isInto = name !== undefined && (kind === "directory" || to.as !== "named");
  return isInto ? posix.join(to.path, name) : to.path;
}

async function fileTarget(
  client: Client,
  to: BoxPath,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly directory: string; readonly name: string }> {
  const isInto = to.as !== "named" || (await kindInBox(client, to, signal)) === "directory";
  return isInto ? { directory: to.path, name } : { directory: posix.dirname(to.path), name: posix.basename(to.path) };
}

async function uploadFile(
  client: Client,
  box: string,
  directory: string,
  file: PackedFile,
  signal: AbortSignal,
): Promise<void> {
  await client.files.uploadArchive(box, directory, packFile(file), { signal });
}

/** A regular file's mode comes from its directory's listing; that of a symlink's target is not there, and is then a new file's. */
async function openBoxFile(client: Client, from: BoxPath, name: string, signal: AbortSignal): Promise<PackedFile> {
  const entries = await client.files.list(from.box, posix.dirname(from.path), { signal });
  const entry = entries.find((one) => one.type === "file" && one.name === posix.basename(from.path));
  const { content, sizeBytes } = await client.files.download(from.box, from.path, { signal });
  return {
    name,
    content,
    sizeBytes: sizeBytes ?? entry?.size ?? 0,
    mode: entry === undefined ? 0o644 : Number.parseInt(entry.mode, 8) & 0o777,
    mtime: entry === undefined ? undefined : new Date(entry.mtime),
  };
}

function requireThere(kind: "file" | "nothing", { box, path }: BoxPath): void {
  if (kind === "nothing") throw new BoxRunError("FILE_NOT_FOUND", `There is no ${path} in ${box}`);
}
