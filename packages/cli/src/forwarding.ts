import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { systemCodeOf } from "boxrun-sdk";
import { CliError } from "./failure.ts";
import { addressText, type PortMapping } from "./port-mapping.ts";
import type { Session } from "./session.ts";

/** A port of this host that leads into a box. */
export interface Forwarding extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly boxPort: number;
}

/** Listens until it is disposed, which cuts the connections. A connection that comes to nothing is told, and ends nothing else. */
export async function forward(session: Session, box: string, mapping: PortMapping): Promise<Forwarding> {
  const { hostIp = "127.0.0.1", boxPort } = mapping;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    void passOn(session, box, boxPort, socket);
  });
  const { port } = await listen(server, hostIp, mapping.hostPort ?? boxPort);
  return {
    host: hostIp,
    port,
    boxPort,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, "listening");
  } catch (error) {
    const code = systemCodeOf(error);
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(
      "PORT_UNAVAILABLE",
      `Cannot listen on ${addressText(host, port)}: ${reasons[code ?? ""] ?? why}`,
      code === "EADDRINUSE" ? "Choose another port, as in 8081:80, or 0:80 for one that is free." : undefined,
    );
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("a TCP server has an address");
  return address;
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there",
  EACCES: "ports below 1024 need more rights",
  EADDRNOTAVAIL: "this host does not have that address",
};

async function passOn({ client, reporter, signal }: Session, box: string, boxPort: number, socket: Socket) {
  socket.on("error", () => undefined);
  try {
    const connection = Duplex.fromWeb(await client.ports.connect(box, boxPort, { signal }));
    try {
      await Promise.all([pipeline(socket, connection), pipeline(connection, socket)]);
    } finally {
      connection.destroy();
    }
  } catch (error) {
    // That a side hangs up is what connections do.
    if (!signal.aborted && !socket.destroyed) reporter.failure(error);
    socket.resetAndDestroy();
  }
}
