import type { ClientHttp2Stream } from "node:http2";
import type { Readable } from "node:stream";
import { BoxRunError, type SignalName, type TerminalSize } from "@boxrun/contract";
import type { EngineExec, ExecExit, ExecSpec, OutputChunk, OutputOffsets, StdinOptions } from "@boxrun/core";
import { AgentError, ConnectionLost, fromAgent } from "./errors.ts";
import type { Forgetting } from "./forgetting.ts";
import { decodeFrames, encodeAck, encodeStart, type StreamName } from "./frames.ts";
import type { AgentLine } from "./line.ts";
import { type AgentExit, type ExecStartMessage, execStateSchema, okSchema } from "./messages.ts";
import { bodyOf, lost, openAnswer, openAnswerInTime, requestJson, upload } from "./requests.ts";
import { WireViolation } from "./violation.ts";

/** Between SIGTERM and SIGKILL when an exec is cancelled. */
const cancelGraceMs = 5000;

/** How often in a row reading may begin anew without a byte coming. */
const maxFruitless = 10;

/** How much may be stored before the agent is told, in bytes: it keeps 1 MiB, and each telling costs both sides a turn. */
const tellEveryBytes = 128 * 1024;

/** What an exec needs of its box. */
export interface ExecHost {
  readonly boxId: string;
  readonly line: AgentLine;
  readonly forgetting: Forgetting;
  /** Aborts, with the reason, when the VM is gone or let go. */
  readonly gone: AbortSignal;
}

const refusals = {
  FINISHED: "EXEC_ALREADY_FINISHED",
  NOT_FOUND: "EXEC_ALREADY_FINISHED",
  BAD_REQUEST: "VALIDATION_ERROR",
} as const;

const execPath = (id: string, action = "") => `/execs/${encodeURIComponent(id)}${action}`;

/** Starts a command, or finds the one that has this id already. */
export async function startExec(host: ExecHost, spec: ExecSpec): Promise<AgentExec> {
  const body: ExecStartMessage = {
    argv: spec.cmd,
    env: spec.env,
    cwd: spec.workdir,
    user: spec.user ?? "",
    stdin: spec.stdin,
    tty: spec.tty === null ? null : { cols: spec.tty.cols, rows: spec.tty.rows },
    timeout_ms: spec.timeoutMs,
  };
  try {
    const { stream, length } = await openAnswerInTime(host.line, "PUT", execPath(spec.id), {
      kind: "exec",
      endStream: false,
      head: encodeStart(body),
    });
    // The agent knows how long its answer is if it has it whole when it begins to send.
    return new AgentExec(host, spec.id, { stdout: 0, stderr: 0 }, { stream, isOver: length !== undefined });
  } catch (error) {
    throw fromAgent(`start ${spec.cmd[0] ?? ""} in box ${host.boxId}`, error);
  }
}

/** The exec of an earlier server; `undefined` if the agent doesn't have it. */
export async function resumeExec(host: ExecHost, id: string, from: OutputOffsets): Promise<AgentExec | undefined> {
  try {
    await requestJson(host.line, "GET", execPath(id), execStateSchema, { repeatable: true });
    return new AgentExec(host, id, from, { stream: await openOutput(host, id, from), isOver: false });
  } catch (error) {
    if (error instanceof AgentError && error.code === "NOT_FOUND") return undefined;
    throw fromAgent(`resume exec ${id} of box ${host.boxId}`, error);
  }
}

/** Its output from the given offsets on; they acknowledge everything before. `undefined` if the connection dropped. */
async function openOutput(host: ExecHost, id: string, from: OutputOffsets): Promise<ClientHttp2Stream | undefined> {
  try {
    return await requestOutput(host, id, from);
  } catch (error) {
    if (error instanceof ConnectionLost) return undefined;
    throw error;
  }
}

async function requestOutput(
  host: ExecHost,
  id: string,
  from: OutputOffsets,
  signal?: AbortSignal,
): Promise<ClientHttp2Stream> {
  const path = execPath(id, `/output?stdout=${from.stdout}&stderr=${from.stderr}`);
  const options = { kind: "resumed", endStream: false, ...(signal && { signal }) } as const;
  return (await openAnswer(host.line, "POST", path, options)).stream;
}

/** One exec as the engine's caller has it. Its output survives a dropped connection: reading goes on where it was. */
export class AgentExec implements EngineExec {
  readonly id: string;
  readonly isOver: boolean;
  readonly output: AsyncIterable<OutputChunk>;
  readonly exit: Promise<ExecExit>;
  readonly #host: ExecHost;
  readonly #settle = Promise.withResolvers<ExecExit>();
  /** Aborts, with the reason, when there is nothing more to read: the VM is gone, or the reader. */
  readonly #over = new AbortController();
  /** The next byte of each stream that the reader gets. */
  readonly #received: Record<StreamName, number>;
  /** What the reader has stored; the agent may forget everything before. */
  readonly #stored: Record<StreamName, number>;
  /** What the agent has been told of that. */
  #told: Record<StreamName, number>;
  #stream: ClientHttp2Stream | undefined;
  #telling = false;
  /** What the last reading ended with, if it was the connection's end and not the agent's word. */
  #lost: ConnectionLost | undefined;

  /** `stream` has the output from `from` on, and its first bytes may be on their way; without one, the first read opens it. */
  constructor(
    host: ExecHost,
    id: string,
    from: OutputOffsets,
    { stream, isOver }: { readonly stream: ClientHttp2Stream | undefined; readonly isOver: boolean },
  ) {
    this.id = id;
    this.isOver = isOver;
    this.#host = host;
    this.#stream = stream;
    this.#received = { ...from };
    this.#stored = { ...from };
    this.#told = { ...from };
    this.output = this.#read();
    this.exit = this.#settle.promise;
    // Whoever doesn't ask for the exit must not end the server by that.
    this.exit.catch(() => undefined);
    const onGone = () => this.#stop(host.gone.reason);
    if (host.gone.aborted) onGone();
    else host.gone.addEventListener("abort", onGone, { once: true });
    const forgetBox = () => host.gone.removeEventListener("abort", onGone);
    this.exit.then(forgetBox, forgetBox);
  }

  acknowledge(offsets: OutputOffsets): void {
    for (const name of ["stdout", "stderr"] as const) {
      this.#stored[name] = Math.min(Math.max(this.#stored[name], offsets[name]), this.#received[name]);
    }
    this.#tell();
  }

  async writeStdin(content: Readable, { eof, offset, signal }: StdinOptions): Promise<void> {
    try {
      const query = new URLSearchParams();
      if (eof) query.set("eof", "true");
      if (offset !== undefined) {
        await this.#requireOffsets();
        query.set("offset", String(offset));
      }
      const path = execPath(this.id, `/stdin${query.size > 0 ? `?${query}` : ""}`);
      await upload(this.#host.line, "POST", path, okSchema, content, { kind: "stdin", signal });
    } catch (error) {
      content.destroy();
      throw this.#refusal("write to the standard input", error);
    }
  }

  async resize(size: TerminalSize): Promise<void> {
    await this.#act("resize the terminal", "/resize", { cols: size.cols, rows: size.rows });
  }

  async signal(name: SignalName): Promise<void> {
    await this.#act(`send ${name}`, "/signal", { signal: name });
  }

  async cancel(): Promise<void> {
    await this.#act("cancel", "/cancel", { grace_ms: cancelGraceMs });
  }

  letGo(): void {
    this.#stop(new BoxRunError("CANCELED", `exec ${this.id} was let go`));
  }

  async forget(): Promise<void> {
    await this.#host.forgetting.forget(this.id);
  }

  #stop(reason: unknown): void {
    this.#over.abort(reason);
    this.#settle.reject(reason);
    this.#stream?.destroy();
  }

  /** An older agent would append what it has already. */
  async #requireOffsets(): Promise<void> {
    const path = execPath(this.id);
    const { state, stdin } = await requestJson(this.#host.line, "GET", path, execStateSchema, { repeatable: true });
    if (stdin !== undefined || state === "exited") return;
    throw new BoxRunError(
      "NOT_SUPPORTED",
      `the agent of box ${this.#host.boxId} is older and takes no offset: stop and start the box`,
    );
  }

  async #act(what: string, action: string, body: object): Promise<void> {
    try {
      await requestJson(this.#host.line, "POST", execPath(this.id, action), okSchema, { body });
    } catch (error) {
      throw this.#refusal(what, error);
    }
  }

  #refusal(what: string, error: unknown): Error {
    return fromAgent(`${what}, exec ${this.id}`, error, refusals);
  }

  async *#read(): AsyncGenerator<OutputChunk, void, void> {
    let atEnd = false;
    try {
      let fruitless = 0;
      for (let before = -1; ; before = this.#receivedBytes) {
        this.#over.signal.throwIfAborted();
        fruitless = this.#receivedBytes > before ? 0 : fruitless + 1;
        // A guest that hangs up again and again must not keep the server busy.
        if (fruitless > maxFruitless)
          throw this.#lost ?? new WireViolation("the agent ends the output again and again, without an exit");
        if (fruitless > 0) await this.#host.line.pauseBeforeRetry(fruitless, this.#over.signal);
        const stream = this.#stream ?? (await this.#reopen());
        if (stream === undefined) continue;
        const exit = yield* this.#readStream(stream);
        this.#stream = undefined;
        if (exit === undefined) continue;
        atEnd = true;
        return;
      }
    } catch (error) {
      const reason = this.#over.signal.aborted
        ? this.#over.signal.reason
        : fromAgent(`read the output of exec ${this.id}`, error);
      this.#settle.reject(reason);
      atEnd = true;
      throw reason;
    } finally {
      this.#stream?.destroy();
      if (!atEnd) {
        this.#settle.reject(new BoxRunError("RUNTIME_ERROR", `exec ${this.id}: its reader left before the end`));
      }
    }
  }

  get #receivedBytes(): number {
    return this.#received.stdout + this.#received.stderr;
  }

  /** `undefined` if the connection dropped again: to be tried once more. */
  async #reopen(): Promise<ClientHttp2Stream | undefined> {
    // Nothing may be acknowledged that isn't stored. What was received twice is skipped.
    this.#told = { ...this.#stored };
    try {
      this.#stream = await requestOutput(this.#host, this.id, this.#told, this.#over.signal);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      this.#lost = error;
      return undefined;
    }
    if (this.#over.signal.aborted) this.#stream.destroy();
    return this.#stream;
  }

  /** Hands out everything up to the exit, or (`undefined`) up to where the connection dropped. */
  async *#readStream(stream: ClientHttp2Stream): AsyncGenerator<OutputChunk, ExecExit | undefined, void> {
    let exit: ExecExit | undefined;
    this.#lost = undefined;
    try {
      for await (const frame of decodeFrames(bodyOf(this.#host.line, stream))) {
        if (frame.type === "exit") {
          // The answer's end follows. It is read, too: leaving a stream before its end is an error that costs something.
          stream.end();
          exit = toExit(frame.exit);
          this.#settle.resolve(exit);
          continue;
        }
        const chunk = this.#accept(frame.type, frame.offset, frame.data);
        if (chunk !== undefined) yield chunk;
      }
    } catch (error) {
      if (error instanceof WireViolation) throw error;
      const reason = lost(this.#host.line, stream, error);
      if (reason instanceof ConnectionLost) this.#lost = reason;
      else if (exit === undefined) throw reason;
    }
    return exit;
  }

  #accept(name: StreamName, offset: number, data: Uint8Array): OutputChunk | undefined {
    const expected = this.#received[name];
    const end = offset + data.length;
    if (offset > expected) throw new WireViolation(`${name} goes on at byte ${offset} instead of ${expected}`);
    // Behind it is what came before the connection dropped, and was not acknowledged then.
    if (end <= expected) return undefined;
    this.#received[name] = end;
    return { stream: name, offset: expected, data: data.subarray(expected - offset) };
  }

  /** One acknowledgement under way at a time: while it is, the later ones become one. */
  #tell(): void {
    const stream = this.#stream;
    if (this.#telling || stream === undefined || stream.destroyed || stream.writableEnded) return;
    const untold = this.#stored.stdout - this.#told.stdout + this.#stored.stderr - this.#told.stderr;
    if (untold < tellEveryBytes) return;
    const news = (["stdout", "stderr"] as const).filter((name) => this.#stored[name] > this.#told[name]);
    this.#telling = true;
    this.#told = { ...this.#stored };
    stream.write(Buffer.concat(news.map((name) => encodeAck(name, this.#told[name]))), () => {
      this.#telling = false;
      this.#tell();
    });
  }
}

function toExit(exit: AgentExit): ExecExit {
  return { code: exit.code, reason: exit.reason, ...(exit.message === undefined ? {} : { message: exit.message }) };
}
