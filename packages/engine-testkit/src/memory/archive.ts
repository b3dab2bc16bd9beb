import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { BoxRunError } from "@boxrun/contract";
import { extract, type Header, type Pack, pack } from "tar-stream";
import { type DirNode, type FileNode, type MemoryFileSystem, newFile, newLink } from "./file-system.ts";
import type { Ownership } from "./ownership.ts";

/** Unpacks a tar below a directory. VALIDATION_ERROR for what is no tar or climbs out. */
export async function unpack(
  files: MemoryFileSystem,
  directory: string,
  tar: Readable,
  ownership: Ownership,
  signal: AbortSignal,
): Promise<void> {
  files.makeDir(directory, ownership.parents);
  const unpacking = extract();
  unpacking.on("entry", (header, content, next) => {
    const chunks: Buffer[] = [];
    // Told of the archive's failure too; pipeline() is who reports it.
    content.on("error", () => undefined);
    content.on("data", (chunk) => chunks.push(Buffer.from(chunk as Uint8Array)));
    content.on("end", () => {
      try {
        place(files, directory, header, Buffer.concat(chunks), ownership);
        next();
      } catch (error) {
        unpacking.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
  // tar-stream takes an empty or short stream for an empty archive; a real one ends with two zero blocks.
  const tail = new TarTail();
  tar.on("data", (chunk: Buffer) => tail.add(chunk));
  try {
    await pipeline(tar, unpacking, { signal });
    if (!tail.isComplete()) throw new Error("it ends too early");
  } catch (error) {
    if (error instanceof BoxRunError) throw error;
    if (signal.aborted) throw new BoxRunError("CANCELED", "The transfer was given up", { cause: error });
    const reason = error instanceof Error ? error.message : String(error);
    throw new BoxRunError("VALIDATION_ERROR", `The body is not a complete tar archive: ${reason}`, { cause: error });
  }
}

class TarTail {
  #last = Buffer.alloc(0);

  add(chunk: Buffer): void {
    this.#last = Buffer.concat([this.#last, chunk.subarray(-1024)]).subarray(-1024);
  }

  isComplete(): boolean {
    return this.#last.length === 1024 && this.#last.every((byte) => byte === 0);
  }
}

function place(
  files: MemoryFileSystem,
  directory: string,
  header: Header,
  content: Buffer,
  ownership: Ownership,
): void {
  if (header.name.split("/").includes("..")) {
    throw new BoxRunError("VALIDATION_ERROR", `The archive's member ${JSON.stringify(header.name)} climbs out of it`);
  }
  const { pax } = header;
  const records = new Map<string, unknown>(typeof pax === "object" && pax !== null ? Object.entries(pax) : []);
  const sparseName = records.get("GNU.sparse.name");
  const name = typeof sparseName === "string" ? sparseName : header.name;
  // tar-stream leaves what PAX records say of times to its users.
  const seconds = Number(records.get("mtime") ?? Number.NaN);
  const path = `${directory}/${name}`;
  const old = header.type === "file" || header.type === "directory" ? files.find(path) : undefined;
  const isReplaced = old?.type === (header.type === "directory" ? "dir" : "file");
  const owner = ownership.of({ uid: header.uid ?? 0, gid: header.gid ?? 0 }, isReplaced ? old : undefined);
  const meta = {
    mode: (header.mode ?? 0o644) & 0o7777,
    ...owner,
    mtimeMs: Number.isNaN(seconds) ? (header.mtime?.getTime() ?? Date.now()) : seconds * 1000,
  };
  if (header.type === "directory") Object.assign(files.makeDir(path, ownership.parents), meta);
  else if (header.type === "symlink") {
    files.put(path, { ...newLink(header.linkname ?? ""), ...owner, mtimeMs: meta.mtimeMs }, ownership.parents);
  } else if (header.type === "file" || header.type === "contiguous-file") {
    const whole =
      typeof sparseName === "string" ? withHoles(content, Number(records.get("GNU.sparse.realsize"))) : content;
    files.put(path, { ...newFile(whole), ...meta }, ownership.parents);
  } else if (header.type === "link") {
    const node = files.get(`${directory}/${header.linkname ?? ""}`, { follow: false });
    if (node.type === "dir") throw new BoxRunError("VALIDATION_ERROR", `${header.linkname} is a directory`);
    files.put(path, node);
  } else {
    throw new BoxRunError("VALIDATION_ERROR", `The memory engine has no files of type ${header.type}`);
  }
}

/** What GNU's sparse format 1.0 means: a map of decimal numbers, one a line, filled up to a block, and then the data. */
function withHoles(content: Buffer, size: number): Buffer {
  const numbers: number[] = [];
  let at = 0;
  const next = () => {
    const end = content.indexOf("\n", at);
    const number = Number(content.toString("latin1", at, end));
    at = end + 1;
    return number;
  };
  const count = next();
  for (let index = 0; index < 2 * count; index++) numbers.push(next());
  let data = Math.ceil(at / 512) * 512;
  const whole = Buffer.alloc(size);
  for (let index = 0; index < numbers.length; index += 2) {
    const length = numbers[index + 1] ?? 0;
    content.copy(whole, numbers[index], data, data + length);
    data += length;
  }
  return whole;
}

/** A directory's content, names relative to it, or one file under its own name. */
export function archive(path: string, node: FileNode): Readable {
  const packing = pack();
  if (node.type === "dir") addChildren(packing, "", node);
  else add(packing, path.split("/").at(-1) ?? "", node);
  packing.finalize();
  return Readable.from(packing, { objectMode: false });
}

function addChildren(packing: Pack, prefix: string, dir: DirNode): void {
  for (const [name, child] of dir.children) {
    add(packing, prefix + name, child);
    if (child.type === "dir") addChildren(packing, `${prefix}${name}/`, child);
  }
}

function add(packing: Pack, name: string, node: FileNode): void {
  // tar-stream takes a bare 0 for no mode given.
  const meta = { name, mode: node.mode | 0o100000, uid: node.uid, gid: node.gid, mtime: new Date(node.mtimeMs) };
  if (node.type === "dir") packing.entry({ ...meta, type: "directory" });
  else if (node.type === "symlink") packing.entry({ ...meta, type: "symlink", linkname: node.target });
  else packing.entry({ ...meta, type: "file" }, node.content);
}
