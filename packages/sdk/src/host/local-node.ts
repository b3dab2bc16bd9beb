import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { ClientError } from "../errors.ts";
import type { Address } from "./address.ts";
import { findServer } from "./find-server-node.ts";
import type { Local, LocalSource, StartServerOptions } from "./local.ts";

/** Set-user-id and the like are not taken over from a stranger. */
const permissionBits = 0o777;

export const local: Local = { openSource, writeFile, unpack, startServer };

async function openSource(path: string): Promise<LocalSource> {
  if (!(await stat(path)).isDirectory()) return { isDirectory: false, content: createReadStream(path) };
  const names = (await readdir(path)).sort();
  if (names.length === 0) return { isDirectory: true, content: emptyTar };
  const { create } = await import("tar");
  // "./" before a name: one that begins with @ would be read as an archive's.
  const entries = names.map((name) => `./${name}`);
  return { isDirectory: true, content: asBytes(create({ cwd: path, portable: true }, entries)) };
}

/** Two blocks of zeros. */
const emptyTar = new Uint8Array(1024);

async function* asBytes(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
}

async function writeFile(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const target = resolve(path);
  const part = join(dirname(target), `.${basename(target)}.${randomUUID()}.boxrun-part`);
  try {
    await pipeline(content, createWriteStream(part, { flags: "wx" }));
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function unpack(path: string, tar: AsyncIterable<Uint8Array>): Promise<void> {
  const { extract } = await import("tar");
  await mkdir(path, { recursive: true });
  const unpacking = extract({
    cwd: path,
    // What it can't do is an error, and so is what would climb out of the directory.
    strict: true,
    preserveOwner: false,
    onReadEntry: (entry) => {
      if (entry.mode !== undefined) entry.mode &= permissionBits;
    },
  });
  let isEmpty = true;
  const watched = async function* () {
    for await (const piece of tar) {
      isEmpty &&= piece.every((byte) => byte === 0);
      // The library reads the methods of Buffers.
      yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    }
  };
  try {
    await pipeline(Readable.from(watched()), unpacking);
  } catch (error) {
    // A tar without an entry is none to the library.
    if (!isEmpty) throw error;
  }
}

const run = promisify(execFile);

async function startServer({ command = ["boxrun"], signal }: StartServerOptions): Promise<Address> {
  const [program, ...before] = command;
  try {
    await run(program, [...before, "server", "start"], signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    throw new ClientError(
      "SERVER_START_FAILED",
      `\`${[...command, "server", "start"].join(" ")}\` failed: ${said || String(error)}`,
      { cause: error },
    );
  }
  return findServer();
}
