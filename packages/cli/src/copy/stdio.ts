import { posix } from "node:path";
import { BoxRunError } from "@boxrun/contract/plain";
import { CliError } from "../failure.ts";
import { write } from "../output/streams.ts";
import { boxDirectory } from "./box-file.ts";
import type { Copy } from "./copy.ts";
import { type BoxPath, kindInBox } from "./location.ts";
import { headerMode, packTar, tarEntries } from "./tar.ts";

/** A tar on standard input goes into a directory, which is made if it is missing. Owners are those that the tar says. */
export async function copyInput({ client, meter, signal }: Copy, to: BoxPath): Promise<void> {
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
    await client.files.uploadArchive(to.box, to.path, meter.count(tar), { signal });
  } finally {
    // Whoever writes it may have more to say, and we would wait for that.
    process.stdin.destroy();
  }
}

/**
 * A file, or a directory under its own name, as a tar to standard output. With `/.` it is the directory's content, byte for byte as
 * the box has it, so that names may be any bytes.
 */
export async function copyOutput({ client, meter, signal }: Copy, from: BoxPath): Promise<void> {
  if (process.stdout.isTTY)
    throw new CliError("USAGE", "standard output is a terminal, and - writes a tar to a pipe or a file");
  const kind = await kindInBox(client, from, signal);
  if (kind === "nothing") throw new BoxRunError("FILE_NOT_FOUND", `There is no ${from.path} in ${from.box}`);
  const attributes = kind === "directory" ? await boxDirectory(client, from, signal) : undefined;
  const { content } = await client.files.downloadArchive(from.box, from.path, { signal });
  const isUnderItsName = kind === "directory" && from.as !== "content" && from.path !== "/";
  const counted = meter.count(content);
  const tar = isUnderItsName ? below(posix.basename(from.path), counted, attributes) : counted;
  for await (const chunk of tar) await write(process.stdout, chunk);
}

/** The same archive with all its names below a directory. */
function below(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  attributes: Awaited<ReturnType<typeof boxDirectory>>,
): AsyncIterable<Uint8Array> {
  return packTar(async (add) => {
    const { mode = 0o755, mtime = new Date(), uid = 0, gid = 0 } = attributes ?? {};
    await add({ name: `${name}/`, type: "directory", mode: headerMode(mode), mtime, uid, gid });
    for await (const { header, content } of tarEntries(chunks)) {
      const { pax: _, ...fields } = header;
      const isFile = header.type === "file" || header.type === "contiguous-file";
      const linkname = header.type === "link" ? `${name}/${header.linkname}` : header.linkname;
      const renamed = { ...fields, name: `${name}/${header.name}`, linkname, mode: headerMode(header.mode) };
      await add(renamed, isFile ? content : undefined);
    }
  });
}

const blockBytes = 512;
const checksumAt = 148;
const checksumBytes = 8;

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
function isTarBlock(block: Buffer): boolean {
  const bytes = block.subarray(0, blockBytes);
  const text = bytes
    .toString("latin1", checksumAt, checksumAt + checksumBytes)
    .replaceAll("\0", " ")
    .trim();
  const sum = bytes.reduce(
    (total, byte, at) => total + (at >= checksumAt && at < checksumAt + checksumBytes ? 0x20 : byte),
    0,
  );
  return bytes.every((byte) => byte === 0) || Number.parseInt(text, 8) === sum;
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
