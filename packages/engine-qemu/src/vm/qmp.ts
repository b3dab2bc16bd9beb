import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { BoxRunError } from "@boxrun/contract";
import { z } from "zod";

/** QEMU's machine protocol: one JSON object per line, over a Unix socket that QEMU listens on, one client at a time. */

const messageSchema = z.union([
  z.object({ return: z.unknown(), id: z.int() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.int().optional() }),
  z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).optional() }),
  z.object({ QMP: z.unknown() }),
]);

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A command that QEMU has not answered by then never will be. */
const answerLimitMs = 10_000;
/** A QEMU that is awake greets at once. */
const greetLimitMs = 5_000;

interface Waiting {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Qmp {
  /** Resolves when the connection ends: QEMU is gone, or `close` was called. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #nextId = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => undefined);
    const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on("line", (line) => this.#take(line));
    // readline passes the socket's errors on, and its close tells as much.
    lines.on("error", () => undefined);
    socket.once("close", () => {
      lines.close();
      for (const waiting of this.#waiting.values())
        waiting.reject(qmpError(waiting.command, "QEMU closed the connection"));
      this.#waiting.clear();
    });
  }

  /** Connects and negotiates. RUNTIME_ERROR if nobody answers, or `signal` aborts. */
  static async connect(path: string, signal?: AbortSignal): Promise<Qmp> {
    const late = AbortSignal.timeout(greetLimitMs);
    const stop = signal === undefined ? late : AbortSignal.any([late, signal]);
    const socket = connect({ path });
    // An end by us closes it, and that ends what waits for it.
    const giveUp = () => socket.destroy();
    stop.addEventListener("abort", giveUp, { once: true });
    try {
      return await Qmp.#negotiate(socket);
    } catch (error) {
      if (late.aborted) throw qmpError("connect", `QEMU has not answered for ${greetLimitMs / 1000} s`);
      throw error;
    } finally {
      stop.removeEventListener("abort", giveUp);
    }
  }

  static async #negotiate(socket: Socket): Promise<Qmp> {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", () => resolve());
      socket.once("error", (error) => reject(qmpError("connect", error.message)));
      socket.once("close", () => reject(qmpError("connect", "given up")));
    });
    const qmp = new Qmp(socket);
    try {
      // QEMU answers commands only after this one; its greeting needs no waiting for.
      await qmp.execute("qmp_capabilities");
    } catch (error) {
      qmp.close();
      throw error;
    }
    return qmp;
  }

  async execute(command: string, args: object = {}): Promise<unknown> {
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.#socket.destroyed) return reject(qmpError(command, "the connection is closed"));
      this.#waiting.set(id, { command, resolve, reject });
    });
    const timer = setTimeout(() => {
      this.#waiting.get(id)?.reject(qmpError(command, `no answer in ${answerLimitMs / 1000} s`));
      this.#waiting.delete(id);
    }, answerLimitMs);
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(line: string): void {
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch {
      this.#socket.destroy();
      return;
    }
    const message = messageSchema.safeParse(json);
    if (!message.success) return;
    const { data } = message;
    if ("event" in data) {
      for (const listener of this.#listeners) listener({ event: data.event, data: data.data ?? {} });
    } else if ("return" in data) {
      this.#waiting.get(data.id)?.resolve(data.return);
      this.#waiting.delete(data.id);
    } else if ("error" in data && data.id !== undefined) {
      const waiting = this.#waiting.get(data.id);
      waiting?.reject(qmpError(waiting.command, data.error.desc));
      this.#waiting.delete(data.id);
    }
  }
}

function qmpError(command: string, reason: string): BoxRunError {
  return new BoxRunError("RUNTIME_ERROR", `QMP ${command}: ${reason}`);
}
