import { once } from "node:events";
import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { boxSchema, execSchema } from "@boxrun/contract";
import type { TestServer } from "./server.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly bytes: Buffer;
  /** The body as JSON. */
  readonly json: unknown;
}

export interface Ask {
  readonly via?: "unix" | "tcp";
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** Text and bytes as they are, streams chunked, anything else as JSON. */
  readonly body?: unknown;
}

/** Sends a request; the path goes out as it is. */
export function send(server: Pick<TestServer, "http">, path: string, ask: Ask = {}): ClientRequest {
  const { socketPath, tcp } = server.http;
  const target = ask.via === "tcp" ? { host: tcp?.host, port: tcp?.port } : { socketPath };
  const isRaw = typeof ask.body === "string" || ask.body instanceof Uint8Array || ask.body instanceof Readable;
  const request = httpRequest({
    ...target,
    path,
    method: ask.method ?? (ask.body === undefined ? "GET" : "POST"),
    agent: false,
    headers: {
      ...(ask.via === "tcp" ? {} : { host: "localhost" }),
      ...(ask.body === undefined || isRaw ? {} : { "content-type": "application/json" }),
      ...ask.headers,
    },
  });
  if (ask.body instanceof Readable) ask.body.pipe(request);
  else request.end(isRaw ? ask.body : ask.body === undefined ? undefined : JSON.stringify(ask.body));
  return request;
}

export async function response(request: ClientRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once("response", resolve).once("error", reject);
  return await promise;
}

export async function ask(server: Pick<TestServer, "http">, path: string, options: Ask = {}): Promise<Answer> {
  return await read(await response(send(server, path, options)));
}

export async function read(message: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk));
  const bytes = Buffer.concat(chunks);
  const text = bytes.toString();
  const isJson = message.headers["content-type"]?.startsWith("application/json");
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    text,
    bytes,
    json: isJson && text !== "" ? JSON.parse(text) : undefined,
  };
}

export async function createBox(server: TestServer, fields: object = {}) {
  const answer = await ask(server, "/v1/boxes", { body: { image: "base", cpu: 1, memory_mb: 64, ...fields } });
  if (answer.status !== 201) throw new Error(`no box: ${answer.text}`);
  return boxSchema.parse(answer.json);
}

export async function startExec(server: TestServer, boxId: string, cmd: string[], fields: object = {}) {
  const answer = await ask(server, `/v1/boxes/${boxId}/exec`, { body: { cmd, ...fields } });
  if (answer.status !== 201) throw new Error(`no exec: ${answer.text}`);
  return execSchema.parse(answer.json);
}

export interface Frame {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: unknown;
}

/** The frames of a whole event stream. */
export function frames(text: string): Frame[] {
  return text
    .split("\n\n")
    .map((block) => {
      const lines = block.split("\n");
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      return { id: field("id"), event: field("event"), data: field("data") };
    })
    .filter((frame) => frame.data !== undefined)
    .map((frame) => ({ ...frame, data: JSON.parse(frame.data ?? "") }));
}

/** Reads a stream until its text so far is as wanted. */
export async function readUntil(message: IncomingMessage, wanted: (text: string) => boolean): Promise<string> {
  let text = "";
  message.setEncoding("utf8");
  while (!wanted(text)) {
    const chunk: unknown = message.read();
    if (typeof chunk === "string") text += chunk;
    else if (message.readableEnded || message.destroyed)
      throw new Error(`the stream ended with ${JSON.stringify(text)}`);
    else await Promise.race([once(message, "readable"), once(message, "end"), once(message, "close")]);
  }
  return text;
}
