import type { Exec, SignalName, TerminalSize } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import { ClientError } from "../errors.ts";
import type { ExecEvent, ExecStarted } from "../exec-events.ts";
import type { Execs } from "../execs.ts";
import { type ExecEnd, type ExecStreamEvent, outputEvent } from "./output.ts";

type ExitEvent = Extract<ExecEvent, { readonly event: "exit" }>;

/** How often a piece of input is sent again after the connection broke. */
const inputAttempts = 5;

/**
 * A command that runs, and its output as it comes: each piece once and in order, the exit last, also over a lost connection or a restart of the
 * server. For one reader, once. Leaving the loop leaves the command running (`box.follow` goes on with it); aborting the call's signal, or `await using`, ends it.
 */
export class ExecStream implements AsyncIterable<ExecStreamEvent>, AsyncDisposable {
  /** Resolves once the server has it. Rejects with what it was refused with. */
  readonly started: Promise<Exec>;
  /** Standard input of a command started with `stdin: true`. Closing it is the command's end of file. */
  readonly stdin: WritableStream<Uint8Array | string>;
  readonly #execs: Execs;
  readonly #events: AsyncGenerator<ExecStarted | ExecEvent>;
  readonly #forget: () => void;
  #hasEnded = false;

  constructor(execs: Execs, events: AsyncGenerator<ExecStarted | ExecEvent>, signal: AbortSignal | undefined) {
    this.#execs = execs;
    this.#events = events;
    this.started = this.#start();
    // Whoever reads is told by the loop.
    this.started.catch(() => undefined);
    this.stdin = this.#input();
    const abort = () => void this.#end();
    signal?.addEventListener("abort", abort, { once: true });
    this.#forget = () => signal?.removeEventListener("abort", abort);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ExecStreamEvent, void, undefined> {
    await this.started;
    for await (const event of this.#events) {
      if (event.event === "exec") continue;
      if (event.event === "log") {
        yield outputEvent(event);
        continue;
      }
      this.#over();
      yield { type: "exit", seq: event.seq, ...(await this.#ended(event)) };
    }
  }

  /** To the command's process group. */
  async signal(name: SignalName): Promise<void> {
    const { box_id, id } = await this.started;
    await this.#execs.signal(box_id, id, name);
  }

  /** Of a command started with `tty`. */
  async resize(size: TerminalSize): Promise<void> {
    const { box_id, id } = await this.started;
    await this.#execs.resize(box_id, id, size);
  }

  /** Ends the command's process group: SIGTERM, SIGKILL 5 s later. Resolves when it is gone, also if it was before. */
  async cancel(): Promise<void> {
    const { box_id, id } = await this.started;
    try {
      await this.#execs.cancel(box_id, id);
    } catch (error) {
      if (!isOver(error)) throw error;
    }
  }

  /** Ends the command if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await this.#events.return(undefined);
  }

  async #start(): Promise<Exec> {
    const { done, value } = await this.#events.next();
    if (done || value.event !== "exec") throw new ClientError("INVALID_ANSWER", "The exec does not come first");
    return value.exec;
  }

  /** The event says by itself how a regular end was; of any other the exec knows whether it ran out of time or was canceled. */
  async #ended({ exit_code: exitCode, error }: ExitEvent): Promise<ExecEnd> {
    const errorMessage = error ?? null;
    if (error === undefined) return { exitCode, errorMessage, status: exitCode === 0 ? "succeeded" : "failed" };
    const { box_id, id } = await this.started;
    // Its box may have gone with it.
    const exec = await this.#execs.get(box_id, id).catch(() => undefined);
    const status = exec === undefined || exec.status === "running" ? "failed" : exec.status;
    return { exitCode, errorMessage, status };
  }

  /** As well as it can be done: what was to be ended may never have begun, and the call says why. */
  async #end(): Promise<void> {
    if (this.#hasEnded) return;
    await this.cancel().catch(() => undefined);
    this.#over();
  }

  #over(): void {
    this.#hasEnded = true;
    this.#forget();
  }

  #input(): WritableStream<Uint8Array | string> {
    let offset = 0;
    const send = async (content: Uint8Array, eof: boolean) => {
      const { box_id, id } = await this.started;
      // What the box has of it is known by the offset: the same piece may be sent again.
      for (let attempt = 1; ; attempt += 1) {
        try {
          await this.#execs.stdin(box_id, id, content, { offset, eof });
          break;
        } catch (error) {
          if (!isLost(error) || attempt === inputAttempts) throw error;
        }
      }
      offset += content.length;
    };
    return new WritableStream<Uint8Array | string>({
      write: (data) => send(typeof data === "string" ? new TextEncoder().encode(data) : data, false),
      close: async () => {
        await send(new Uint8Array(), true).catch((error: unknown) => {
          if (!isOver(error)) throw error;
        });
      },
    });
  }
}

/** The command has ended, which is nothing to tell to who wanted that. */
export function isOver(error: unknown): boolean {
  return error instanceof BoxRunError && error.code === "EXEC_ALREADY_FINISHED";
}

function isLost(error: unknown): boolean {
  return error instanceof ClientError && error.code === "CONNECTION_FAILED";
}
