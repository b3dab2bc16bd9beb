import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { type RawData, WebSocket } from "ws";
import { deferred } from "../deferred.ts";
import type { TerminalSocket, TerminalSocketOptions } from "./socket.ts";

const handshakeTimeoutMs = 30_000;

/** A sign of life for the server that comes also while this side reads nothing, and one asked of the server. */
const pingIntervalMs = 20_000;

/** The server says something every 30 s: a connection that is read from and silent for so long is dead. */
const silenceMs = 70_000;

/** What the server gets to answer a good-bye. */
const closeTimeoutMs = 2_000;

/** Rejects with what the server refused with, what the connection failed with, or the signal's reason. */
export async function openTerminalSocket(options: TerminalSocketOptions): Promise<TerminalSocket> {
  const { socketPath, token, events, signal } = options;
  signal?.throwIfAborted();
  const socket = new WebSocket(options.url.replace(/^http/, "ws"), {
    perMessageDeflate: false,
    handshakeTimeout: handshakeTimeoutMs,
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    // Not `ws+unix:`: a colon in the path of the socket would end it there.
    ...(socketPath === undefined ? {} : { createConnection: () => connect(socketPath) }),
  });
  let lastSeenMs = performance.now();
  let failure = "";
  const seen = () => {
    lastSeenMs = performance.now();
  };
  // From the start: the first frames may come with the handshake's answer.
  socket.on("message", (data, isBinary) => {
    seen();
    if (isBinary) events.onBytes(bytesOf(data));
    else events.onText(String(data));
  });
  socket.on("ping", seen).on("pong", seen);
  await opened(socket, options);
  const watch = setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (!socket.isPaused && performance.now() - lastSeenMs > silenceMs) {
      failure = `nothing came for ${silenceMs / 1000} s`;
      socket.terminate();
    } else socket.ping();
  }, pingIntervalMs);
  watch.unref();
  const closed = deferred<void>();
  socket.on("error", (error) => {
    failure ||= error.message;
  });
  const onClose = (code: number, reason: Buffer) => {
    clearInterval(watch);
    events.onClose(failure || closeText(code, reason.toString()));
    closed.resolve();
  };
  if (socket.readyState === WebSocket.CLOSED) onClose(1006, Buffer.alloc(0));
  else socket.on("close", onClose);
  return {
    sendBytes: (data) =>
      new Promise((resolve, reject) => {
        socket.send(data, { binary: true }, (error) => (error ? reject(error) : resolve()));
      }),
    sendText: (message) => socket.send(message, () => undefined),
    pause: () => socket.pause(),
    resume: () => {
      seen();
      socket.resume();
    },
    close: async () => {
      const timer = setTimeout(() => socket.terminate(), closeTimeoutMs);
      socket.resume();
      socket.close(1000);
      await closed.promise;
      clearTimeout(timer);
    },
  };
}

function opened(socket: WebSocket, { signal, refusal }: TerminalSocketOptions): Promise<void> {
  const { promise, resolve, reject } = deferred<void>();
  const giveUp = () => {
    reject(signal?.reason);
    socket.terminate();
  };
  const refuse = (_request: unknown, response: IncomingMessage) => {
    text(response).then((body) => reject(refusal(response.statusCode ?? 0, body)), reject);
  };
  signal?.addEventListener("abort", giveUp, { once: true });
  socket.once("open", resolve).on("error", reject).once("unexpected-response", refuse);
  return promise.finally(() => {
    signal?.removeEventListener("abort", giveUp);
    socket.off("unexpected-response", refuse);
    if (socket.readyState !== WebSocket.OPEN) socket.on("error", () => undefined).terminate();
  });
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

function closeText(code: number, reason: string): string {
  return code === 1006
    ? "the connection was cut"
    : `the server closed it (${code}${reason === "" ? "" : `: ${reason}`})`;
}
