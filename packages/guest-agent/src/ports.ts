import type { ClientHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import { BoxRunError, type ErrorCode } from "@boxrun/contract";
import type { ListeningPort, TransferOptions } from "@boxrun/core";
import { Body } from "./body.ts";
import { AgentError, ConnectionLost, fromAgent } from "./errors.ts";
import type { AgentLine } from "./line.ts";
import { type AgentErrorCode, listeningPortsSchema } from "./messages.ts";
import { decodePortFrames } from "./port-frames.ts";
import { lost, openAnswerInTime, requestJson } from "./requests.ts";
import { WireViolation } from "./violation.ts";

/** What a connection needs of its box. */
export interface PortHost {
  readonly boxId: string;
  readonly line: AgentLine;
}

const codes: Partial<Record<AgentErrorCode, ErrorCode>> = { REFUSED: "PORT_REFUSED" };

/** More than the agent's own 1024 of them take. */
const listLimitBytes = 512 * 1024;

/**
 * A TCP connection to a port of the box's own loopback. Each direction ends by itself; destroying it, or aborting `signal`, ends both. It does not survive
 * the line to the agent.
 */
export async function connectPort(host: PortHost, port: number, { signal }: TransferOptions): Promise<Duplex> {
  const operation = `connect to port ${port} of box ${host.boxId}`;
  try {
    const { stream } = await openAnswerInTime(host.line, "POST", `/ports/${port}`, {
      kind: "port",
      endStream: false,
      signal,
    });
    return new PortStream(host.line, stream, (error) => fromAgent(operation, error));
  } catch (error) {
    throw fromAgent(operation, withoutPorts(host, error), codes);
  }
}

/** The TCP ports on which something in the box listens. */
export async function listeningPorts(host: PortHost): Promise<readonly ListeningPort[]> {
  try {
    const options = { repeatable: true, limitBytes: listLimitBytes };
    const { ports } = await requestJson(host.line, "GET", "/ports", listeningPortsSchema, options);
    return ports.map(({ port, address, pid = null, process = null }) => ({ port, address, pid, process }));
  } catch (error) {
    throw fromAgent(`list the ports of box ${host.boxId}`, withoutPorts(host, error), codes);
  }
}

/** An older agent knows nothing of ports, and says so. */
function withoutPorts({ boxId }: PortHost, error: unknown): unknown {
  if (!(error instanceof AgentError && error.code === "BAD_REQUEST")) return error;
  return new BoxRunError(
    "NOT_SUPPORTED",
    `the agent of box ${boxId} is older and reaches no ports: stop and start the box`,
  );
}

class PortStream extends Duplex {
  readonly #line: AgentLine;
  readonly #stream: ClientHttp2Stream;
  readonly #told: (error: unknown) => Error;
  #wake: (() => void) | undefined;

  constructor(line: AgentLine, stream: ClientHttp2Stream, told: (error: unknown) => Error) {
    super({ allowHalfOpen: true, readableHighWaterMark: 256 * 1024, writableHighWaterMark: 256 * 1024 });
    this.#line = line;
    this.#stream = stream;
    this.#told = told;
    // It may break before anybody listens, and must not end the server by that.
    this.on("error", () => undefined);
    this.#receive().catch((error: unknown) => this.destroy(this.#broken(error)));
    stream.once("close", () => {
      // The program has said its last word, and hears no more.
      if (this.readableEnded && !this.writableEnded) this.destroy(this.#broken(stream.errored));
    });
  }

  async #receive(): Promise<void> {
    const body = new Body(this.#stream, { length: undefined, untilClosed: true, fail: (cause) => this.#broken(cause) });
    for await (const data of decodePortFrames(body)) {
      if (this.destroyed) return;
      if (this.push(data) || data === null) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  override _read(): void {
    this.#wake?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#stream.write(chunk, (error) => callback(error ? this.#broken(error) : null));
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#stream.end(() => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#wake?.();
    this.#stream.destroy();
    callback(error);
  }

  /** The line's own end, if that was it; else it was the program, or whoever answers for it. */
  #broken(cause: unknown): Error {
    if (cause instanceof BoxRunError) return cause;
    if (cause instanceof WireViolation) return this.#told(cause);
    const reason = lost(this.#line, this.#stream, cause);
    return this.#told(
      reason instanceof ConnectionLost ? new ConnectionLost("the connection was reset", { cause }) : reason,
    );
  }
}
