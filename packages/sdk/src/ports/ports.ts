import type { ListeningPort } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import type { CallOptions, Http } from "../http.ts";
import { openWebSocket } from "../websocket.ts";
import type { PortConnection } from "./connection.ts";

/** The services of a running box; it needs no network for that. */
export class Ports {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** The TCP ports on which something in the box listens, and what that is. */
  list(box: string, options: CallOptions = {}): Promise<ListeningPort[]> {
    return this.#http.call("GET", urls.ports(box), (contract) => contract.listeningPortSchema.array(), options);
  }

  /**
   * A TCP connection to a port of the box, on its own 127.0.0.1 or ::1. PORT_REFUSED if nothing listens there; BOX_NOT_RUNNING, RESOURCE_EXCEEDED,
   * NOT_SUPPORTED. Aborting `signal` cuts it. In Node, `Duplex.fromWeb(connection)` makes a stream of it.
   */
  async connect(box: string, port: number, { signal }: CallOptions = {}): Promise<PortConnection> {
    const request = {
      path: urls.port(box, port),
      what: `connect to port ${port} of ${box} at ${this.#http.address}`,
      signal,
    };
    const connections = await import("./connection.ts");
    return await openWebSocket(this.#http, request, async (contract, openSocket) => {
      const connection = await connections.PortConnection.open(this.#http.address, contract, openSocket);
      const cut = () => void connection.close();
      signal?.addEventListener("abort", cut, { once: true });
      const forget = () => signal?.removeEventListener("abort", cut);
      connection.closed.then(forget, forget);
      if (signal?.aborted) cut();
      return connection;
    });
  }
}
