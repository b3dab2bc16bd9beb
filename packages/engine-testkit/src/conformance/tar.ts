import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, pack } from "tar-stream";

/** One member of an archive, as tests compare them. */
export interface TarMember {
  readonly name: string;
  readonly type?: "file" | "directory" | "symlink" | "link";
  readonly mode?: number;
  readonly mtime?: Date;
  readonly target?: string;
  readonly content?: string;
}

export function makeTar(members: readonly TarMember[]): Readable {
  const packing = pack();
  for (const { name, type = "file", mode, mtime, target, content } of members) {
    const header = {
      name,
      type,
      uid: 0,
      gid: 0,
      mode: mode ?? (type === "directory" ? 0o755 : 0o644),
      mtime: mtime ?? new Date(1_700_000_000_000),
      ...(target === undefined ? {} : { linkname: target }),
    };
    if (type === "file") packing.entry(header, content ?? "");
    else packing.entry(header);
  }
  packing.finalize();
  return Readable.from(packing, { objectMode: false });
}

/** Members by name, without a leading `./` or trailing `/`. */
export async function readTar(tar: Readable): Promise<Map<string, Required<Omit<TarMember, "name">>>> {
  const members = new Map<string, Required<Omit<TarMember, "name">>>();
  const unpacking = extract();
  const done = (async () => {
    for await (const entry of unpacking) {
      const { name, type, mode, mtime, linkname } = entry.header;
      const content: Buffer[] = [];
      for await (const chunk of entry) content.push(Buffer.from(chunk as Uint8Array));
      const kind = type === "directory" || type === "symlink" || type === "link" ? type : "file";
      const plain = name.replace(/^(\.\/)+/, "").replace(/\/$/, "");
      if (plain === "" || plain === ".") continue;
      members.set(plain, {
        type: kind,
        mode: (mode ?? 0) & 0o7777,
        mtime: mtime ?? new Date(0),
        target: linkname ?? "",
        content: Buffer.concat(content).toString("utf8"),
      });
    }
  })();
  await Promise.all([done, pipeline(tar, unpacking)]);
  return members;
}
