import { posix } from "node:path";
import { BoxRunError } from "@boxrun/contract/plain";
import { CliError } from "../failure.ts";
import { write } from "../output/streams.ts";
import { boxTree, openBoxFile } from "./box-file.ts";
import { type ByteString, bytesOfText } from "./bytes.ts";
import type { Copy } from "./copy.ts";
import { type BoxPath, kindInBox } from "./location.ts";
import { repack } from "./pack.ts";
import { blockBytes, isChecksumRight } from "./tar/header.ts";
import type { TarEntry } from "./tar/read.ts";

/** A tar on standard input goes into a directory, which is made if it is missing. Owners are those that the tar says, unless one was given. */
export async function copyInput({ client, meter, signal, owner }: Copy, to: BoxPath): Promise<void> {
  const kind = await kindInBox(client, to, signal);
  const isDirectory = kind === "directory" || to.as !== "named";
  const file = isDirectory ? posix.join(to.path, "NAME") : to.path;
  const instead = `To make a file of standard input: … | boxrun exec -i ${to.box} -- sh -c 'cat > ${file}'`;
  if (process.stdin.isTTY)
    throw new CliError("USAGE", "standard input is a terminal, and - takes a tar from a pipe or a file");
  if (kind === "file") {
    throw new CliError("USAGE", `${to.path} is a file, and the tar on standard input needs a directory`, instead);
  }
  const tar = requireTar(process.stdin, instead);
  try {
    await client.files.uploadArchive(to.box, to.path, meter.count(tar), { signal, owner });
  } finally {
    // Whoever writes it may have more to say, and we would wait for that.
    process.stdin.destroy();
  }
}

/** A file, or a directory under its own name, as a tar that any reader takes to standard output. With `/.` it is what is in the directory. */
export async function copyOutput(copy: Copy, from: BoxPath): Promise<void> {
  const { client, meter, signal } = copy;
  if (process.stdout.isTTY)
    throw new CliError("USAGE", "standard output is a terminal, and - writes a tar to a pipe or a file");
  const kind = await kindInBox(client, from, signal);
  if (kind === "nothing") throw new BoxRunError("FILE_NOT_FOUND", `There is no ${from.path} in ${from.box}`);
  const name = bytesOfText(posix.basename(from.path));
  const rootName = from.as === "content" || from.path === "/" ? undefined : name;
  const entries = kind === "directory" ? boxTree(client, from, copy) : boxFile(copy, from, name);
  const tar = repack(entries, {
    rootName: kind === "directory" ? rootName : undefined,
    count: meter.count,
    holes: false,
  });
  for await (const chunk of tar) await write(process.stdout, chunk);
}

async function* boxFile(copy: Copy, from: BoxPath, name: ByteString): AsyncGenerator<TarEntry> {
  const { content, uid = 0, gid = 0, ...fields } = await openBoxFile(copy.client, from, name, copy);
  const header = { ...fields, uid, gid, type: "file", linkName: "", devMajor: 0, devMinor: 0 } as const;
  yield { header, content };
}

const compressions: readonly { readonly magic: readonly number[]; readonly name: string; readonly program: string }[] =
  [
    { magic: [0x1f, 0x8b], name: "gzip", program: "gzip -d" },
    { magic: [0x28, 0xb5, 0x2f, 0xfd], name: "zstd", program: "zstd -d" },
    { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], name: "xz", program: "xz -d" },
    { magic: [0x42, 0x5a, 0x68], name: "bzip2", program: "bzip2 -d" },
  ];

/** The same bytes, if they begin as a tar does; so nothing is sent that would be refused, and the reason is a better one. */
async function* requireTar(chunks: AsyncIterable<Uint8Array>, instead: string): AsyncGenerator<Uint8Array> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (head === undefined) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < blockBytes) continue;
    if (!isTarBlock(head)) throw noTar(head, instead);
    yield head;
    head = undefined;
  }
  if (head !== undefined) throw noTar(head, instead);
}

/** A header whose checksum is right, or the zeros of an empty archive. */
function isTarBlock(head: Buffer): boolean {
  const block = head.subarray(0, blockBytes);
  return block.every((byte) => byte === 0) || isChecksumRight(block);
}

function noTar(head: Buffer, instead: string): CliError {
  const compression = compressions.find(({ magic }) => magic.every((byte, at) => head[at] === byte));
  if (compression !== undefined) {
    return new CliError(
      "USAGE",
      `standard input is compressed with ${compression.name}, and - takes a plain tar`,
      `Decompress it on the way: ${compression.program} | boxrun cp - …`,
    );
  }
  return new CliError(
    "USAGE",
    `standard input is ${head.length === 0 ? "empty" : "no tar"}, and - takes a tar`,
    instead,
  );
}
