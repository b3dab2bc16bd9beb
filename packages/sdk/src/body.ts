import type { FetchBody } from "./transport.ts";

/** What may be sent as a body. Iterables (a Node Readable is one) and ReadableStreams are streamed: memory does not grow with them. */
export type BodySource = string | Uint8Array | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

export interface EncodedBody {
  readonly contentType: string;
  readonly body: FetchBody;
  /** What the body's source threw, if it did: fetch calls that a failure of the connection. */
  readonly sourceFailure: () => { readonly error: unknown } | undefined;
}

export function encodeBody(source: BodySource, contentType: string): EncodedBody {
  return encode(contentType, [], source, []);
}

/** A form of `dest`, first, so that the server knows where the file goes before it comes, and `file`. */
export function encodeUpload(dest: string, content: BodySource): EncodedBody {
  const boundary = `boxrun-${randomHex(16)}`;
  const line = (text: string) => `${text}\r\n`;
  const head = new TextEncoder().encode(
    line(`--${boundary}`) +
      line('Content-Disposition: form-data; name="dest"') +
      line("Content-Type: text/plain; charset=utf-8") +
      line("") +
      line(dest) +
      line(`--${boundary}`) +
      line('Content-Disposition: form-data; name="file"; filename="file"') +
      line("Content-Type: application/octet-stream") +
      line(""),
  );
  const tail = new TextEncoder().encode(`\r\n--${boundary}--\r\n`);
  return encode(`multipart/form-data; boundary=${boundary}`, [head], content, [tail]);
}

function encode(contentType: string, head: Bytes[], source: BodySource, tail: Bytes[]): EncodedBody {
  if (isWhole(source)) {
    return { contentType, body: new Blob([...head, part(source), ...tail]), sourceFailure: () => undefined };
  }
  let failure: { error: unknown } | undefined;
  const body = streamOf(parts(head, source, tail), (error) => {
    failure = { error };
  });
  return { contentType, body, sourceFailure: () => failure };
}

type Bytes = Uint8Array<ArrayBuffer>;
type Whole = string | Uint8Array | Blob;

function isWhole(source: BodySource): source is Whole {
  return typeof source === "string" || source instanceof Uint8Array || source instanceof Blob;
}

export function isStream(source: BodySource): source is Exclude<BodySource, Whole> {
  return !isWhole(source);
}

/** A Uint8Array may lie in shared memory, which a Blob does not take. */
function part(source: Whole): string | Blob | Bytes {
  return source instanceof Uint8Array ? new Uint8Array(source) : source;
}

async function* parts(
  before: readonly Uint8Array[],
  content: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>,
  after: readonly Uint8Array[],
): AsyncGenerator<Uint8Array> {
  yield* before;
  yield* chunksOf(content);
  yield* after;
}

/** Leaving a loop over it cancels a stream. */
export function chunksOf(
  content: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array, unknown, unknown> {
  return Symbol.asyncIterator in content ? content : readAll(content);
}

/** Like the stream's own iterator, which not every browser has. */
async function* readAll(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        ended = true;
        return;
      }
      yield value;
    }
  } finally {
    // A stream that has failed already rejects its cancellation with the same error.
    if (!ended) await reader.cancel().catch(() => undefined);
    reader.releaseLock();
  }
}

function streamOf(chunks: AsyncGenerator<Uint8Array>, onFailure: (error: unknown) => void): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          onFailure(error);
          throw error;
        }
      },
      async cancel() {
        await chunks.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

export function randomHex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}
