import type { IncomingMessage } from "node:http";
import { PassThrough, type Readable } from "node:stream";
import { BoxRunError } from "@boxrun/contract";

const jsonLimitBytes = 1024 * 1024;

/**
 * The JSON of a request's body; an empty body is `{}`. VALIDATION_ERROR for what is no JSON (422) or not sent as such (415), and
 * PAYLOAD_TOO_LARGE as soon as the limit is passed, with no more than that in memory.
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const bytes = await readBytes(request, jsonLimitBytes);
  if (bytes.length === 0) return {};
  requireJson(request);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : "it is not UTF-8";
    throw new BoxRunError("VALIDATION_ERROR", `body: is not valid JSON: ${reason}`, { cause: error });
  }
}

async function readBytes(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > limitBytes) throw tooLarge(limitBytes);
  const chunks: Buffer[] = [];
  let bytes = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Not with for await: leaving that early would destroy the request, and the answer with it.
  const take = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limitBytes) reject(tooLarge(limitBytes));
    else chunks.push(chunk);
  };
  const hungUp = () => {
    if (!request.complete) reject(callerHungUp());
  };
  request.on("data", take).once("end", resolve).once("error", hungUp).once("close", hungUp);
  try {
    await promise;
    return Buffer.concat(chunks);
  } finally {
    request.off("data", take).off("end", resolve).off("close", hungUp);
  }
}

function requireJson(request: IncomingMessage): void {
  const encoding = request.headers["content-encoding"] ?? "identity";
  const type = request.headers["content-type"] ?? "";
  if (encoding === "identity" && /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) return;
  throw new BoxRunError("VALIDATION_ERROR", "body: must be sent as Content-Type: application/json, not encoded", {
    status: 415,
  });
}

function tooLarge(limitBytes: number): BoxRunError {
  return new BoxRunError("PAYLOAD_TOO_LARGE", `The body is larger than ${limitBytes} bytes`);
}

export function callerHungUp(): BoxRunError {
  return new BoxRunError("CANCELED", "The caller hung up");
}

/**
 * The bytes of a request's body. Unlike the request itself it may be destroyed by whoever reads it: the rest of the body is then thrown away,
 * and the caller still gets an answer. Fails if the caller hangs up.
 */
export function readStream(request: IncomingMessage): Readable {
  const body = new PassThrough();
  const hungUp = () => {
    if (!request.complete) body.destroy(callerHungUp());
  };
  request.once("error", hungUp).once("close", hungUp).pipe(body);
  body.once("close", () => {
    request.off("close", hungUp).unpipe(body);
    request.resume();
  });
  return body;
}

/** Lets a caller who is still sending come to the end, and so to the answer. */
export function discardRest(request: IncomingMessage): void {
  request.unpipe();
  request.resume();
}
