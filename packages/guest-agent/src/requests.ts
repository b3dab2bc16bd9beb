import type { ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { z } from "zod";
import { Body } from "./body.ts";
import type { BulkSending } from "./bulk/sending.ts";
import { AgentError, ConnectionLost } from "./errors.ts";
import type { AgentLine } from "./line.ts";
import { agentErrorSchema, helloLimitBytes, helloSchema } from "./messages.ts";
import type { RequestKind } from "./shares.ts";
import { WireViolation } from "./violation.ts";

export type Method = "GET" | "PUT" | "POST" | "DELETE";

/** How often a request is asked that is asked again when the connection drops, over some 6 s. */
const maxAttempts = 8;
/** How long a request that has no reason to take time may take: a guest on a busy host is slow, a hostile one is silent. */
const answerLimitMs = 30_000;
/** How long an agent may keep a transfer waiting, in milliseconds. */
export interface Patience {
  /** For it to take some of what it is sent, or to send some of what it was asked for. */
  readonly silenceMs: number;
  /** To put away all that it was sent. */
  readonly putAwayMs: number;
}

/** Longest JSON answer in bytes, unless said otherwise. */
const answerLimitBytes = 64 * 1024;

export interface JsonOptions {
  readonly body?: unknown;
  readonly limitMs?: number;
  readonly limitBytes?: number;
  /** May be asked again if the connection drops before the answer: asking twice does no more than asking once. */
  readonly repeatable?: boolean;
}

/**
 * A JSON request and its answer. Rejects with an AgentError if the agent refuses, and with whatever ended the line. A body that
 * doesn't fit the schema is a WireViolation.
 */
export async function requestJson<T>(
  line: AgentLine,
  method: Method,
  path: string,
  schema: z.ZodType<T>,
  options: JsonOptions = {},
): Promise<T> {
  const { limitBytes = answerLimitBytes } = options;
  const signal = AbortSignal.timeout(options.limitMs ?? answerLimitMs);
  const content = options.body === undefined ? undefined : JSON.stringify(options.body);
  return repeatedly({ line, method, path, signal, repeatable: options.repeatable ?? false }, async () => {
    const stream = await openRequest(line, method, path, { kind: "control", signal, endStream: content === undefined });
    if (content !== undefined) stream.end(content);
    return parse(schema, await readAnswer(line, stream, limitBytes));
  });
}

/** What has begun to come. */
interface Answer {
  readonly stream: ClientHttp2Stream;
  /** In bytes, if the agent has said it. */
  readonly length: number | undefined;
}

/**
 * The same for a request that is answered with a stream, which may take as long as it likes once it has begun. Asked again if the connection
 * drops before the answer.
 */
export async function openAnswerInTime(
  line: AgentLine,
  method: Method,
  path: string,
  options: {
    readonly kind: RequestKind;
    readonly endStream: boolean;
    readonly head?: Uint8Array;
    readonly signal?: AbortSignal;
    readonly limitMs?: number;
  },
): Promise<Answer> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), options.limitMs ?? answerLimitMs);
  const signal = options.signal === undefined ? late.signal : AbortSignal.any([late.signal, options.signal]);
  try {
    return await repeatedly({ line, method, path, signal, repeatable: true }, () =>
      openAnswer(line, method, path, { ...options, signal }),
    );
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Attempts until `signal` aborts: a request that may be repeated is asked again when the connection drops before the answer, so often and no
 * more, and with a growing pause. A guest can make any attempt fail, and at once.
 */
async function repeatedly<T>(
  request: {
    readonly line: AgentLine;
    readonly method: Method;
    readonly path: string;
    readonly signal: AbortSignal;
    readonly repeatable: boolean;
  },
  attempt: () => Promise<T>,
): Promise<T> {
  const { line, method, path, signal, repeatable } = request;
  for (let n = 1; ; n++) {
    try {
      if (n > 1) await line.pauseBeforeRetry(n - 1, signal);
      return await attempt();
    } catch (error) {
      if (line.endReason !== undefined) throw line.endReason;
      if (signal.aborted)
        throw new ConnectionLost(`the box's agent has not answered ${method} ${pathname(path)} in time`);
      if (!(error instanceof ConnectionLost) || !repeatable || n >= maxAttempts) throw error;
    }
  }
}

export interface UploadOptions {
  readonly kind: RequestKind;
  readonly signal: AbortSignal;
  /** Without it, as long as it takes: a program may leave its input unread. */
  readonly patience?: Patience;
  /** `path` takes a body through the disk for transfers. */
  readonly bulk?: BulkSending | undefined;
}

/** Sends `content` as the body and waits for the agent's `ok`. If `content` fails or ends early, the agent sees the request break off. */
export async function upload<T>(
  line: AgentLine,
  method: Method,
  path: string,
  schema: z.ZodType<T>,
  content: Readable,
  { kind, signal, patience, bulk }: UploadOptions,
): Promise<T> {
  // It may fail before the pipeline below listens, and must not end the server by that.
  content.on("error", () => undefined);
  let stream: ClientHttp2Stream;
  try {
    stream = await openRequest(line, method, path, { kind, signal, endStream: false });
  } catch (error) {
    content.destroy();
    throw error;
  }
  const answer = readAnswer(line, stream, answerLimitBytes, bulk);
  // The agent may refuse in the middle: then nothing more is sent, and its reason is better than "the pipe broke".
  const refused = new AbortController();
  stream.once("aborted", () => refused.abort());
  const refusal = answer.then(
    () => undefined,
    (error: unknown) => {
      refused.abort();
      return error;
    },
  );
  const whileTaken = AbortSignal.any([signal, refused.signal]);
  try {
    await pipeline(
      content,
      (source: AsyncIterable<Uint8Array>) => {
        const waiting = () => giveUpAfter(stream, patience?.silenceMs, "taken anything");
        const body = bulk?.body(source, { signal: whileTaken, waiting }) ?? source;
        return send(body, stream, whileTaken, waiting);
      },
      {
        signal: whileTaken,
      },
    );
  } catch (error) {
    if (!refused.signal.aborted) stream.destroy();
    await settle(line);
    signal.throwIfAborted();
    const reason = await refusal;
    if (reason instanceof AgentError || reason instanceof WireViolation) throw reason;
    if (stream.errored instanceof ConnectionLost) throw stream.errored;
    throw content.errored ?? reason ?? error;
  }
  const putAway = giveUpAfter(stream, patience?.putAwayMs, "answered");
  try {
    return parse(schema, await answer);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    putAway[Symbol.dispose]();
  }
}

/**
 * Writes all of `source`. Not a pipeline's business: that would destroy the stream, and with it what the agent has said, as soon as
 * the agent takes no more.
 */
async function send(
  source: AsyncIterable<Uint8Array>,
  stream: ClientHttp2Stream,
  signal: AbortSignal,
  waiting: () => Disposable,
): Promise<void> {
  for await (const chunk of source) {
    signal.throwIfAborted();
    if (stream.write(chunk)) continue;
    using _ = waiting();
    await roomIn(stream, signal);
    signal.throwIfAborted();
    if (stream.errored instanceof ConnectionLost) throw stream.errored;
  }
  signal.throwIfAborted();
  stream.end();
}

/** Resolves when the agent takes more, when `stream` is over, or when `signal` aborts: what it was is for the caller to look at. */
async function roomIn(stream: ClientHttp2Stream, signal: AbortSignal): Promise<void> {
  if (stream.destroyed || signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => resolve();
  stream.once("drain", done).once("close", done);
  signal.addEventListener("abort", done, { once: true });
  await promise;
  // A transfer waits thousands of times.
  stream.off("drain", done).off("close", done);
  signal.removeEventListener("abort", done);
}

/** Ends `stream` when the agent has not done in time what is waited for. */
function giveUpAfter(stream: ClientHttp2Stream, limitMs: number | undefined, done: string): Disposable {
  const timer =
    limitMs === undefined
      ? undefined
      : setTimeout(() => {
          stream.destroy(new ConnectionLost(`the box's agent has not ${done} for ${limitMs / 1000} s`));
        }, limitMs);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/**
 * A request whose answer is a stream. Resolves with the answer's headers read and good; the caller reads and destroys the stream. `head`
 * is what the body begins with; if `endStream` is false, more may follow.
 */
export async function openAnswer(
  line: AgentLine,
  method: Method,
  path: string,
  options: {
    readonly kind: RequestKind;
    readonly signal?: AbortSignal;
    readonly endStream: boolean;
    readonly head?: Uint8Array;
  },
): Promise<Answer> {
  const stream = await openRequest(line, method, path, options);
  if (options.head !== undefined) stream.write(options.head);
  const { status, length } = await responseOf(line, stream);
  if (status === 200) return { stream, length };
  throw await refusalOf(line, stream);
}

async function openRequest(
  line: AgentLine,
  method: Method,
  path: string,
  options: { readonly kind: RequestKind; readonly signal?: AbortSignal; readonly endStream: boolean },
): Promise<ClientHttp2Stream> {
  const { signal } = options;
  signal?.throwIfAborted();
  const headers: OutgoingHttpHeaders = { ":method": method, ":path": path };
  const stream = await line.request(headers, options);
  // Errors show where the stream is read or written; one that comes between must not end the server.
  stream.on("error", () => undefined);
  if (signal !== undefined) {
    // Not `close(NGHTTP2_CANCEL)`: Node (24.21) keeps that back, and an agent that waits for the rest of a body waits for ever.
    const cancel = () => stream.destroy(new ConnectionLost("the request was given up"));
    signal.addEventListener("abort", cancel, { once: true });
    stream.once("close", () => signal.removeEventListener("abort", cancel));
  }
  return stream;
}

function responseOf(
  line: AgentLine,
  stream: ClientHttp2Stream,
): Promise<{ status: number; length: number | undefined }> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(lost(line, stream));
    stream.once("close", onClose);
    stream.once("response", (headers) => {
      stream.off("close", onClose);
      const text = headers["content-length"] ?? headers["boxrun-length"];
      const length = typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
      resolve({ status: headers[":status"] ?? 0, length });
    });
    if (stream.destroyed) onClose();
  });
}

/** With `bulk`, what it has to say of slots comes first, and a refusal may come behind that. */
async function readAnswer(
  line: AgentLine,
  stream: ClientHttp2Stream,
  limitBytes: number,
  bulk?: BulkSending,
): Promise<string> {
  const { status } = await responseOf(line, stream);
  if (status !== 200) throw await refusalOf(line, stream);
  try {
    const body = bodyOf(line, stream);
    if (bulk === undefined) return await text(body, limitBytes);
    const answer = await text(behindFreed(body, bulk), limitBytes);
    if (agentErrorSchema.safeParse(parseJson(answer)).success) throw agentError(answer);
    return answer;
  } catch (error) {
    throw error instanceof WireViolation || error instanceof AgentError ? error : (line.endReason ?? error);
  }
}

/** A byte that begins no JSON: a slot is free again. */
const slotIsFree = 1;

/** What comes behind these bytes. */
async function* behindFreed(body: AsyncIterable<Buffer>, bulk: BulkSending): AsyncGenerator<Buffer, void, void> {
  let isBehind = false;
  for await (const chunk of body) {
    let at = 0;
    for (; !isBehind && at < chunk.length; at += 1) {
      isBehind = chunk[at] !== slotIsFree;
      if (isBehind) break;
      bulk.freed();
    }
    if (isBehind) yield chunk.subarray(at);
  }
}

async function refusalOf(line: AgentLine, stream: ClientHttp2Stream): Promise<Error> {
  try {
    return agentError(await text(bodyOf(line, stream), answerLimitBytes));
  } catch (error) {
    throw error instanceof WireViolation ? error : (line.endReason ?? error);
  }
}

async function text(body: AsyncIterable<Buffer>, limitBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > limitBytes) throw new WireViolation(`an answer of more than ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * An answer's body. An HTTP/2 stream must not be iterated itself: if all of an answer came at once, and the connection is no plain socket,
 * iterating fails at the end of a complete body (Node 24.21, "Premature close").
 */
export function bodyOf(line: AgentLine, stream: ClientHttp2Stream): Body {
  return new Body(stream, {
    length: undefined,
    untilClosed: false,
    fail: (cause) => {
      const reason = lost(line, stream, cause);
      return reason instanceof Error ? reason : new Error(String(reason));
    },
  });
}

/** Why a stream ended early: the line's own end if that was it. */
export function lost(line: AgentLine, stream: ClientHttp2Stream, cause: unknown = stream.errored): unknown {
  return (
    line.endReason ??
    new ConnectionLost(
      `the agent's answer broke off (${cause instanceof Error ? cause.message : `code ${stream.rstCode ?? 0}`})`,
      { cause },
    )
  );
}

function agentError(body: string): Error {
  const parsed = agentErrorSchema.safeParse(parseJson(body));
  return parsed.success
    ? new AgentError(parsed.data.code, parsed.data.message)
    : new WireViolation("the agent refused without saying why");
}

function parse<T>(schema: z.ZodType<T>, body: string): T {
  const parsed = schema.safeParse(parseJson(body));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new WireViolation(`an answer that does not fit: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Waits for one round trip: the agent has seen a request break off before it answers this, and has cleared up what it had of it. An older one may be
 * at it still, and none is waited for longer than this.
 */
async function settle(line: AgentLine): Promise<void> {
  await requestJson(line, "GET", "/hello", helloSchema, { limitMs: 2000, limitBytes: helloLimitBytes }).catch(
    () => undefined,
  );
}

function pathname(path: string): string {
  return path.split("?", 1)[0] ?? path;
}
