import { readdir } from "node:fs/promises";
import { create, Header, type HeaderData, Pax } from "tar";

const blockBytes = 512;

export interface PackedFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Permission bits. */
  readonly mode: number;
  readonly mtime: Date | undefined;
  /** Exactly `sizeBytes` bytes. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** One file, root's, as a tar stream: what carries its mode into a box. */
export async function* packFile(file: PackedFile): AsyncGenerator<Uint8Array> {
  const fields: HeaderData = {
    path: file.name,
    type: "File",
    mode: file.mode,
    size: file.sizeBytes,
    mtime: file.mtime ?? new Date(),
    uid: 0,
    gid: 0,
  };
  const header = new Header(fields);
  if (header.encode()) yield new Pax({ path: file.name, size: file.sizeBytes }).encode();
  if (header.block === undefined) throw new Error("a tar header has a block once it is encoded");
  yield header.block;
  let sent = 0;
  for await (const chunk of file.content) {
    sent += chunk.length;
    if (sent > file.sizeBytes) break;
    yield chunk;
  }
  if (sent !== file.sizeBytes) throw new Error(`${file.name} changed while it was copied`);
  yield Buffer.alloc(((blockBytes - (sent % blockBytes)) % blockBytes) + 2 * blockBytes);
}

/** A directory's content, root's, names relative to it; symlinks stay symlinks. */
export function packDirectory(directory: string): AsyncIterable<Uint8Array> {
  return create(
    {
      cwd: directory,
      onWriteEntry: (entry) => {
        if (entry.stat === undefined) return;
        entry.stat.uid = 0;
        entry.stat.gid = 0;
        entry.myuser = "";
      },
    },
    ["."],
  );
}

/** Like `packDirectory`, but without an entry for the directory itself: what OCI tools take for a layout. */
export async function packEntries(directory: string): Promise<AsyncIterable<Uint8Array>> {
  return create(
    { cwd: directory },
    (await readdir(directory)).map((name) => (name.startsWith("@") ? `./${name}` : name)),
  );
}
