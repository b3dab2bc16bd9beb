import { once } from "node:events";
import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";
import { BoxRunError, type PortServerMessage, portClientMessageSchema } from "@boxrun/contract";
import type { WebSocket } from "ws";
import { ClientSocket, closeCodes, parseFrame } from "./client-socket.ts";
import type { Lifetime } from "./lifetime.ts";
import { validate } from "./validation.ts";

export interface PortSocketOptions {
  readonly lifetime: Lifetime;
  readonly heartbeatMs: number;
  /** What the client is told of whatever was thrown. */
  readonly toApiError: (error: unknown) => BoxRunError;
}

/** Passes bytes between a client's WebSocket and a connection into a box, until both directions have ended or one side breaks it off. Never rejects. */
export async function servePort(socket: WebSocket, connection: Duplex, options: PortSocketOptions): Promise<void> {
  const { lifetime, heartbeatMs, toApiError } = options;
  let closeCode: number = closeCodes.done;
  const cut = (error: BoxRunError, code: number) => {
    closeCode = code;
    connection.destroy(error);
  };
  const stop = () => cut(new BoxRunError("CANCELED", "The server is shutting down"), closeCodes.goingAway);
  using client = new ClientSocket(socket, heartbeatMs, {
    onBytes: (bytes) => write(connection, bytes),
    onText: (text) => {
      try {
        validate(portClientMessageSchema, parseFrame(text, "the connection's bytes"), "frame");
        connection.end();
      } catch (error) {
        cut(toApiError(error), closeCodes.malformed);
      }
    },
    onFault: cut,
    onGone: () => connection.destroy(new BoxRunError("CANCELED", "The client has hung up")),
  });
  lifetime.ending.addEventListener("abort", stop);
  if (lifetime.ending.aborted) stop();
  client.listen();
  try {
    // Both directions, and whatever breaks either.
    await Promise.all([pass(connection, client), finished(connection)]);
  } catch (error) {
    if (closeCode === closeCodes.done) closeCode = closeCodes.failed;
    await client.sendMessage({ type: "error", ...toApiError(error).toJSON() } satisfies PortServerMessage);
  } finally {
    lifetime.ending.removeEventListener("abort", stop);
    connection.destroy();
    await client.close(closeCode);
  }
}

/** No faster than the client takes it. */
async function pass(connection: Duplex, client: ClientSocket): Promise<void> {
  for await (const data of connection.iterator({ destroyOnReturn: false })) await client.sendBytes(data);
  await client.sendMessage({ type: "end" } satisfies PortServerMessage);
}

/** Resolves when the box has room for more. What can't be taken any more shows in the connection itself. */
async function write(connection: Duplex, bytes: Buffer): Promise<void> {
  if (connection.writableEnded) {
    throw new BoxRunError("VALIDATION_ERROR", 'frame: bytes after {"type":"end"}, which says that there are no more');
  }
  if (connection.destroyed || connection.write(bytes)) return;
  const over = new AbortController();
  const drained = once(connection, "drain", { signal: over.signal });
  const closed = once(connection, "close", { signal: over.signal });
  await Promise.race([drained, closed]).catch(() => undefined);
  over.abort();
  await Promise.allSettled([drained, closed]);
}
