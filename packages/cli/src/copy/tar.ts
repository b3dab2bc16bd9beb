import { pipeline } from "node:stream/promises";
import { extract, type Header, type Pack, pack } from "tar-stream";

export interface TarEntry {
  readonly header: Header;
  readonly content: AsyncIterable<Uint8Array>;
}

/** Entries of a tar stream, one after the other; what is not read of one is skipped. Throws what breaks the stream. */
export async function* tarEntries(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const extracting = extract();
  // It may fail before we wait for it; the loop is told too.
  const feeding = pipeline(chunks, extracting);
  feeding.catch(() => undefined);
  try {
    for await (const entry of extracting) {
      yield { header: withPaxTime(entry.header), content: withCause(bytesOf(entry), feeding) };
      entry.resume();
    }
  } catch (error) {
    await feeding;
    throw error;
  }
  await feeding;
}

/** What broke the source off is only told to who feeds it. */
async function* withCause(content: AsyncIterable<Uint8Array>, feeding: Promise<void>): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } catch (error) {
    await feeding;
    throw error;
  }
}

export type HeaderFields = Partial<Header> & Pick<Header, "name">;
export type Add = (header: HeaderFields, content?: AsyncIterable<Uint8Array>) => Promise<void>;

/** A tar stream of what `fill` adds, made as fast as it is read. Throws what `fill` throws. */
export async function* packTar(fill: (add: Add) => Promise<void>): AsyncGenerator<Uint8Array> {
  const packing = pack();
  const filling = fill((header, content) => addEntry(packing, header, content)).then(
    () => packing.finalize(),
    (error: unknown) => void packing.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  yield* bytesOf(packing);
  await filling;
}

/** tar-stream's streams are of bytes, which its types don't say. */
async function* bytesOf(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) if (chunk instanceof Uint8Array) yield chunk;
}

async function addEntry(packing: Pack, header: HeaderFields, content?: AsyncIterable<Uint8Array>): Promise<void> {
  const added = Promise.withResolvers<void>();
  const sink = packing.entry(withLateTime(header), (error) => (error ? added.reject(error) : added.resolve()));
  if (content === undefined) sink.end(null);
  // A content that fails, or is longer or shorter than its header says, ends the whole.
  else await pipeline(content, sink);
  await added.promise;
}

/** tar-stream's headers hold the seconds of 32 bits, and it leaves what a PAX header says to us. */
function withLateTime(header: HeaderFields): HeaderFields {
  const seconds = Math.floor((header.mtime?.getTime() ?? 0) / 1000);
  return seconds >= 0 && seconds < 2 ** 31
    ? header
    : { ...header, mtime: new Date(0), pax: { mtime: String(seconds) } };
}

function withPaxTime(header: Header): Header {
  const { pax } = header;
  const text = typeof pax === "object" && pax !== null && "mtime" in pax ? Number(pax.mtime) : Number.NaN;
  const mtime = new Date(text * 1000);
  return Number.isNaN(mtime.getTime()) ? header : { ...header, mtime };
}

/** Permission bits as tar-stream takes them: it reads a bare 0 as no mode given. */
export function headerMode(mode: number): number {
  return 0o100000 | (mode & 0o7777);
}
