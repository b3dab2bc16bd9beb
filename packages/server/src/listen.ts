import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { type AddressInfo, BlockList, isIPv6, type Socket } from "node:net";
import { hostname } from "node:os";
import type { Duplex } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import { hasHostService, isErrno } from "@boxrun/host";
import type { Door, Guard } from "./auth/guard.ts";
import type { Settings } from "./settings.ts";
import { bindSocket } from "./unix-socket.ts";
import { asksForWebSocket } from "./upgrade.ts";

export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** The open sockets of a server. */
export interface Listening {
  readonly socketPath: string;
  readonly tcp: TcpAddress | null;
  /** Takes no more connections and closes those without a request; resolves when the last one is closed. */
  close(): Promise<void>;
  closeIdle(): void;
  closeAll(): void;
}

interface ListenOptions {
  readonly settings: Pick<Settings, "socketPath" | "tcp" | "token">;
  readonly guard: Guard;
  readonly handler: RequestListener;
  /** For what asks to become a WebSocket. */
  readonly upgradeHandler: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Whether the port that nobody asked for is another's even while that one is not there. */
  readonly portIsLeft?: (() => boolean) | undefined;
}

/**
 * Opens the Unix socket and, unless the settings say otherwise, a TCP port. If one fails, neither is left open; but a port that nobody has asked for is
 * done without where it is taken, or the host's own service is to have it: whoever starts first would.
 */
export async function listen({
  settings,
  guard,
  handler,
  upgradeHandler,
  portIsLeft = hasHostService,
}: ListenOptions): Promise<Listening> {
  const servers: Server[] = [];
  const open = (door: (socket: Socket) => Door) => {
    const server = httpServer(handler, (socket) => guard.entered(socket, door(socket)));
    server.on("upgrade", upgradeHandler);
    servers.push(server);
    return server;
  };
  try {
    const unix: Door = { kind: "unix" };
    const isLeft = settings.tcp?.byDefault === true && portIsLeft();
    const wanted = settings.tcp === null || isLeft ? null : await resolveAddress(settings.tcp, settings.token);
    await bindSocket(
      open(() => unix),
      settings.socketPath,
    );
    const tcp = wanted === null ? null : await bindTcp(open(tcpDoor(wanted)), wanted, settings.tcp?.byDefault);
    return {
      socketPath: settings.socketPath,
      tcp,
      close: async () => {
        await Promise.all(servers.map(closed));
      },
      closeIdle: () => {
        for (const server of servers) server.closeIdleConnections();
      },
      closeAll: () => {
        for (const server of servers) server.closeAllConnections();
      },
    };
  } catch (error) {
    await Promise.all(servers.filter((server) => server.listening).map(closed));
    throw error;
  }
}

function httpServer(handler: RequestListener, onConnection: (socket: Socket) => void): Server {
  // Uploads and streams last as long as they last; only headers have to come in time.
  const server = createServer(
    {
      keepAliveTimeout: 72_000,
      requestTimeout: 0,
      headersTimeout: 60_000,
      shouldUpgradeCallback: asksForWebSocket,
    },
    handler,
  );
  server.on("connection", onConnection);
  server.on("clientError", answerMalformed);
  return server;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** What is no HTTP is answered in our shape all the same. */
function answerMalformed(error: Error, socket: Duplex): void {
  if (!socket.writable || ("code" in error && error.code === "ECONNRESET")) {
    socket.destroy();
    return;
  }
  const code = "code" in error ? error.code : undefined;
  const [status, why] =
    code === "HPE_HEADER_OVERFLOW"
      ? ["431 Request Header Fields Too Large", "its headers are too large"]
      : code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? ["408 Request Timeout", "it did not come in time"]
        : ["400 Bad Request", "it is not valid HTTP"];
  const body = JSON.stringify({ code: "VALIDATION_ERROR", message: `request: ${why}` });
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

interface WantedAddress extends TcpAddress {
  /** What `host` resolves to. */
  readonly address: string;
  readonly loopback: boolean;
}

const loopbackAddresses = new BlockList();
loopbackAddresses.addSubnet("127.0.0.0", 8, "ipv4");
loopbackAddresses.addAddress("::1", "ipv6");

async function resolveAddress({ host, port }: TcpAddress, token: string | null): Promise<WantedAddress> {
  const { address } = await lookup(host, { order: "ipv4first" }).catch((error: unknown) => {
    throw new BoxRunError(
      "VALIDATION_ERROR",
      `Cannot listen on ${host}: there is no such host. Set BOXRUN_HOST or --host.`,
      {
        cause: error,
      },
    );
  });
  const loopback = loopbackAddresses.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  if (!loopback && token === null) {
    throw new BoxRunError(
      "VALIDATION_ERROR",
      `Cannot listen on ${host} without a token: anyone who reaches it could run commands. Set BOXRUN_TOKEN, or listen on 127.0.0.1.`,
    );
  }
  return { host, port, address, loopback };
}

async function bindTcp(
  server: Server,
  { address, port }: WantedAddress,
  byDefault: true | undefined,
): Promise<TcpAddress | null> {
  try {
    const listening = once(server, "listening");
    server.listen({ host: address, port });
    await listening;
  } catch (error) {
    if (byDefault && isErrno(error, "EADDRINUSE")) return null;
    throw tcpFailure(error, address, port);
  }
  const bound = server.address();
  return { host: address, port: isAddressInfo(bound) ? bound.port : port };
}

function isAddressInfo(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === "object" && address !== null;
}

const tcpReasons: Readonly<Record<string, string>> = {
  EADDRINUSE:
    "another program listens there. Choose another port with --port (0 picks a free one), or do without TCP: --no-tcp",
  EACCES: "the system does not allow it. Choose a port above 1023 with --port, or do without TCP: --no-tcp",
  EADDRNOTAVAIL: "this host does not have that address. Choose another with --host",
};

function tcpFailure(error: unknown, host: string, port: number): BoxRunError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const why = tcpReasons[code] ?? (error instanceof Error ? error.message : String(error));
  return new BoxRunError("RUNTIME_ERROR", `Cannot listen on ${bracketed(host)}:${port}: ${why}.`, {
    cause: error,
    details: { host, port },
  });
}

/** The names of the server on a connection: those of this host, what it was told to listen on, and the address that was called. */
function tcpDoor({ host, address, loopback }: WantedAddress): (socket: Socket) => Door {
  const names = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    bracketed(host),
    bracketed(address),
    ...(loopback ? [] : [hostname()]),
  ];
  return (socket) => ({
    kind: "tcp",
    loopback,
    names: new Set([...names, bracketed(socket.localAddress ?? "")].map((name) => name.toLowerCase())),
  });
}

/** As it stands in a URL. */
export function bracketed(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  return isIPv6(plain) ? `[${plain}]` : plain;
}
