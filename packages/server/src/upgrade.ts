import { type IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { BoxRunError, maxTerminalFrameBytes } from "@boxrun/contract";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type WebSocket, WebSocketServer } from "ws";

/** Whether Node should hand a request over as an upgrade; what asks for anything else than a WebSocket is an ordinary request. */
export function asksForWebSocket(request: IncomingMessage): boolean {
  return request.method === "GET" && request.headers.upgrade?.toLowerCase() === "websocket";
}

interface Upgrade {
  readonly socket: Socket;
  /** What came behind the request already. */
  readonly head: Buffer;
}

/** Requests whose connection may become a WebSocket. */
const upgrades = new WeakMap<IncomingMessage, Upgrade>();

/**
 * Sends a request that asks for a WebSocket through the application like every other: who may call, what is refused and what is logged
 * are the same. The handler takes the connection over with `acceptWebSocket`; otherwise it is answered and closed.
 */
export function routeUpgrade(
  route: (request: IncomingMessage, response: ServerResponse) => void,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  if (!(socket instanceof Socket)) {
    socket.destroy();
    return;
  }
  // Nobody else listens any more, and a caller that hangs up must not end the server.
  socket.on("error", () => socket.destroy());
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once("finish", () => socket.destroySoon());
  upgrades.set(request, { socket, head });
  route(request, response);
}

/** Beyond the contract's limit the caller is told why; beyond this one the connection is cut (close code 1009). */
const maxPayload = 4 * maxTerminalFrameBytes;

const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, clientTracking: false, maxPayload });

const upgradeRequired = 426;

/** VALIDATION_ERROR for a request that does not ask for a WebSocket as it should. */
export function requireWebSocket(request: FastifyRequest, reply: FastifyReply): void {
  upgradeOf(request, reply);
}

/** Makes the request's connection a WebSocket. VALIDATION_ERROR as `requireWebSocket`. */
export function acceptWebSocket(request: FastifyRequest, reply: FastifyReply): Promise<WebSocket> {
  const { socket, head } = upgradeOf(request, reply);
  reply.hijack();
  request.upgraded = true;
  request.happened?.({});
  return new Promise((resolve) => {
    webSockets.handleUpgrade(request.raw, socket, head, resolve);
  });
}

function upgradeOf(request: FastifyRequest, reply: FastifyReply): Upgrade {
  const upgrade = upgrades.get(request.raw);
  if (upgrade === undefined) {
    reply.headers({ upgrade: "websocket" });
    throw new BoxRunError("VALIDATION_ERROR", "This address speaks WebSocket: connect to it with ws:// or wss://", {
      status: upgradeRequired,
    });
  }
  const { "sec-websocket-key": key, "sec-websocket-version": version } = request.headers;
  if (!/^[+/0-9A-Za-z]{22}==$/.test(key ?? "")) {
    throw new BoxRunError("VALIDATION_ERROR", "Sec-WebSocket-Key: must be 16 bytes in base64", { status: 400 });
  }
  if (version !== "13") {
    reply.headers({ "sec-websocket-version": "13" });
    throw new BoxRunError("VALIDATION_ERROR", "Sec-WebSocket-Version: must be 13", { status: upgradeRequired });
  }
  return upgrade;
}
