import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { BoxRunError, type PublishedPort, toBoxRunError } from "@boxrun/contract";
import type { TransferOptions } from "../ports/engine.ts";
import type { HostConnection, HostPort, HostPorts } from "../ports/host-ports.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord } from "../ports/store.ts";

interface Parts {
  readonly hostPorts: HostPorts;
  readonly connect: (boxId: string, port: number, options: TransferOptions) => Promise<Duplex>;
  readonly logger: Logger;
}

type Publishing = Pick<BoxRecord, "id" | "name" | "ports">;

interface Open {
  readonly called: string;
  readonly published: readonly PublishedPort[];
  readonly listening: readonly HostPort[];
}

/** The ports of the host that lead into boxes: listened on from a box's creation or start to its end. */
export class PublishedPorts {
  readonly #parts: Parts;
  readonly #open = new Map<string, Open>();
  /** Why ports of running boxes could not be taken up again. */
  readonly #trouble = new Map<string, string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Listens for a box, and says where, with a number for each port that was to be any. All of them or none: PORT_IN_USE, VALIDATION_ERROR. */
  async open({ id, name, ports }: Publishing): Promise<readonly PublishedPort[]> {
    this.close(id);
    const listening: HostPort[] = [];
    const published: PublishedPort[] = [];
    try {
      for (const port of ports) {
        const address = { ip: port.host_ip, port: port.host_port };
        const passOn = (connection: HostConnection) => void this.#passOn(id, port.guest_port, connection);
        const hostPort = await this.#parts.hostPorts.listen(address, passOn).catch((error: unknown) => {
          throw this.#withHolder(error, port, published);
        });
        listening.push(hostPort);
        published.push({ ...port, host_port: hostPort.port });
      }
    } catch (error) {
      for (const port of listening) port.close();
      throw error;
    }
    if (listening.length > 0) this.#open.set(id, { called: name ?? id, published, listening });
    return published;
  }

  /** Of a port that one of the boxes has, by that box's name. `own`: what the box itself has already. */
  #withHolder(error: unknown, wanted: PublishedPort, own: readonly PublishedPort[]): unknown {
    if (!(error instanceof BoxRunError) || error.code !== "PORT_IN_USE") return error;
    const { host_ip: ip, host_port: port } = wanted;
    const where = `Cannot publish a port at ${ip.includes(":") ? `[${ip}]` : ip}:${port}`;
    const isThere = (one: PublishedPort) => overlap(one, wanted);
    if (own.some(isThere)) return new BoxRunError(error.code, `${where}: it is given twice`, { cause: error });
    const holder = [...this.#open.values()].find(({ published }) => published.some(isThere));
    if (holder === undefined) return error;
    return new BoxRunError(error.code, `${where}: box ${holder.called} has it`, { cause: error });
  }

  /** For a box that runs already: what can't be had is told as its `trouble`. */
  async takeUp(box: Publishing): Promise<void> {
    try {
      await this.open(box);
    } catch (error) {
      const { message } = toBoxRunError(error);
      this.#trouble.set(box.id, `its ports are not published: ${message}`);
      this.#parts.logger.warn({ box_id: box.id, err: error }, "the ports of a box could not be published again");
    }
  }

  /** The end of a sentence that begins with the box; `undefined` if nothing is wrong. */
  trouble(boxId: string): string | undefined {
    return this.#trouble.get(boxId);
  }

  close(boxId: string): void {
    for (const port of this.#open.get(boxId)?.listening ?? []) port.close();
    this.#open.delete(boxId);
    this.#trouble.delete(boxId);
  }

  closeAll(): void {
    for (const boxId of [...this.#open.keys()]) this.close(boxId);
  }

  /** Both directions, each to its own end. A connection that comes to nothing is reset. */
  async #passOn(boxId: string, port: number, outside: HostConnection): Promise<void> {
    const gone = new AbortController();
    outside.on("error", () => undefined).once("close", () => gone.abort());
    try {
      const inside = await this.#parts.connect(boxId, port, { signal: gone.signal });
      await Promise.all([pipeline(outside, inside), pipeline(inside, outside)]);
    } catch (error) {
      this.#parts.logger.debug({ box_id: boxId, port, err: error }, "a connection to a published port broke off");
      outside.resetAndDestroy();
    }
  }
}

/** Whether only one of them can be listened on. */
function overlap(one: PublishedPort, other: PublishedPort): boolean {
  const isEverywhere = [one, other].some(({ host_ip }) => host_ip === "0.0.0.0" || host_ip === "::");
  return one.host_port === other.host_port && (isEverywhere || one.host_ip === other.host_ip);
}
