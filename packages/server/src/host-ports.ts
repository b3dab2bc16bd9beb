import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { BoxRunError } from "@boxrun/contract";
import type { HostAddress, HostPorts } from "@boxrun/core";
import { bracketed } from "./listen.ts";

/** TCP ports of this host. */
export const hostPorts: HostPorts = {
  async listen(address, onConnection) {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      onConnection(socket);
    });
    const port = await listening(server, address);
    // An error of a server that listens (too many open files, say) costs a connection, and nothing else.
    server.on("error", () => undefined);
    return {
      port,
      close: () => {
        server.close();
        for (const socket of sockets) socket.resetAndDestroy();
      },
    };
  },
};

async function listening(server: Server, { ip, port }: HostAddress): Promise<number> {
  try {
    server.listen({ host: ip, port, exclusive: true });
    await once(server, "listening");
  } catch (error) {
    throw refusal(`${bracketed(ip)}:${port}`, error);
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("a TCP server has an address");
  return address.port;
}

function refusal(where: string, error: unknown): BoxRunError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "EADDRINUSE":
      return new BoxRunError("PORT_IN_USE", `Cannot publish a port at ${where}: another program listens there`, {
        cause: error,
      });
    case "EACCES":
      return new BoxRunError(
        "VALIDATION_ERROR",
        `ports: cannot listen on ${where}: the server's user may not listen on ports below 1024`,
        { cause: error },
      );
    case "EADDRNOTAVAIL":
      return new BoxRunError("VALIDATION_ERROR", `ports: the server's host does not have the address of ${where}`, {
        cause: error,
      });
    default:
      return new BoxRunError("RUNTIME_ERROR", `Cannot publish a port at ${where}: ${String(error)}`, { cause: error });
  }
}
