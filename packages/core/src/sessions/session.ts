import { BoxRunError, type TerminalSize, toBoxRunError } from "@boxrun/contract";
import { confirmGraceMs, endLimitMs } from "../execs/active-exec.ts";
import type { SteadyExec } from "../execs/steady-exec.ts";
import type { Clock } from "../ports/clock.ts";
import type { ExecExit } from "../ports/engine.ts";
import type { Logger } from "../ports/logger.ts";
import type { SessionRecord, SessionStore } from "../ports/store.ts";
import { SessionClient, type TerminalEnd } from "./client.ts";
import { TerminalInput } from "./input.ts";
import { OutputRing } from "./ring.ts";

/** How far the fastest client may be behind before the program has to wait, in bytes: less than the ring holds. */
const maxLagBytes = 128 * 1024;

/** So many bytes of output are acknowledged at once: each time is a write to the store. */
const acknowledgeBytes = 128 * 1024;

export interface SessionParts {
  readonly exec: SteadyExec;
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the end of the box means for the session, where the server knows better than the engine. */
  readonly boxEnd: () => BoxRunError | undefined;
}

/**
 * One shell, and the clients that are attached to it. Its output is read all the time into a ring, and acknowledged to the engine only
 * once the ring has let go of it: so the next server finds in the engine what this one has in memory.
 */
export class Session {
  /** Settles when the shell has ended, or was released. Never rejects. */
  readonly done: Promise<void>;
  readonly #parts: SessionParts;
  readonly #ring: OutputRing;
  readonly #input: TerminalInput;
  readonly #clients = new Set<SessionClient>();
  readonly #ended = new AbortController();
  #record: SessionRecord;
  #end: TerminalEnd | undefined;
  /** Why the shell was told to end. */
  #hangUp: { readonly reason: BoxRunError; readonly told: Promise<void> } | undefined;
  #released = false;
  /** Its box was told to end it, and has not said in time that it has. */
  #unconfirmed = false;
  #deadline: Disposable | undefined;
  /** The box is gone. */
  #lost = false;
  #resizing: Promise<void> | undefined;
  #wakePump: (() => void) | undefined;

  constructor(record: SessionRecord, parts: SessionParts) {
    this.#record = record;
    this.#parts = parts;
    this.#ring = new OutputRing(record.outputOffset, record.modes);
    this.#input = new TerminalInput(parts.exec, this.#ended.signal);
    this.done = this.#run();
    parts.exec.exit.catch(() => {
      this.#lost = true;
      this.#wakePump?.();
    });
  }

  get record(): SessionRecord {
    return this.#record;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** Whether the shell has ended; its clients are told so before the engine has forgotten it. */
  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Whether the shell has ended or was told to. */
  get isEnding(): boolean {
    return this.hasEnded || this.#hangUp !== undefined;
  }

  /** `isNew`: it was started for this client, which so misses nothing. Without `share` the others' terminals end. */
  attach(options: { readonly size: TerminalSize; readonly share: boolean; readonly isNew: boolean }): SessionClient {
    if (!options.share) {
      const error = new BoxRunError("CANCELED", `Another client took over session ${this.#record.name}`);
      this.#dismiss({ kind: "error", error });
    }
    const client = new SessionClient(
      {
        ring: this.#ring,
        write: (data) => this.#input.write(data),
        onRead: () => this.#wakePump?.(),
        onResize: () => this.#resize(),
        onLeave: (leaving) => this.#leave(leaving),
      },
      options.size,
      options.isNew,
    );
    if (this.#end === undefined) this.#clients.add(client);
    else client.finish(this.#end, "drain");
    this.#resize(!options.isNew);
    return client;
  }

  /** It has ended without its box's word, and may run on there. */
  get isUnconfirmed(): boolean {
    return this.#unconfirmed;
  }

  /** Ends the shell and everything that was started in it. Resolves once it was told; `done` follows, also if the box never answers. */
  hangUp(reason: BoxRunError): Promise<void> {
    if (this.#hangUp === undefined && !this.hasEnded) this.#endAfter(endLimitMs, reason);
    this.#hangUp ??= { reason, told: this.#tellEnd() };
    this.#wakePump?.();
    return this.#hangUp.told;
  }

  /** Its box is gone: `done` follows. */
  endsWithBox(reason: BoxRunError): void {
    this.#endAfter(confirmGraceMs, reason);
  }

  /** The server lets go of it: the shell goes on, its clients are told `reason`. */
  release(reason: BoxRunError): void {
    this.#released = true;
    this.#dismiss({ kind: "error", error: reason });
    this.#wakePump?.();
  }

  async #run(): Promise<void> {
    const { exec, logger } = this.#parts;
    let end: TerminalEnd;
    try {
      for await (const { data } of exec.output) {
        this.#ring.append(data);
        for (const client of this.#clients) client.wake();
        this.#acknowledge();
        await this.#room();
      }
      end = this.#endOf(await exec.exit);
    } catch (error) {
      const known = this.#parts.boxEnd() ?? this.#hangUp?.reason;
      if (!this.#released) logger.info({ session_id: this.#record.id, err: error }, "session lost");
      end = { kind: "error", error: known ?? toBoxRunError(error, "RUNTIME_ERROR") };
    }
    this.#end = end;
    this.#deadline?.[Symbol.dispose]();
    this.#ended.abort();
    for (const client of this.#clients) client.finish(end, "drain");
    this.#clients.clear();
    if (this.#released) return;
    try {
      this.#parts.store.delete(this.#record.id, { isUnconfirmed: this.#unconfirmed });
    } catch (error) {
      // The next server finds that its shell is gone.
      logger.error({ session_id: this.#record.id, err: error }, "end of a session could not be stored");
    }
    // Nobody waits for this: the session is over for its clients.
    void exec.forget();
  }

  #endAfter(ms: number, reason: BoxRunError): void {
    this.#deadline?.[Symbol.dispose]();
    this.#deadline = this.#parts.clock.after(ms, () => {
      this.#unconfirmed = true;
      this.#parts.exec.giveUp(reason);
    });
  }

  #endOf(exit: ExecExit): TerminalEnd {
    if (exit.reason === "not_started") {
      return {
        kind: "error",
        error: new BoxRunError("RUNTIME_ERROR", `Cannot start the shell: ${exit.message ?? exit.code}`),
      };
    }
    if (this.#hangUp !== undefined) return { kind: "error", error: this.#hangUp.reason };
    return { kind: "exit", code: exit.code };
  }

  /** Stored before it is told: the engine may forget it then, and nobody may ask for it any more. */
  #acknowledge(): void {
    const outputOffset = this.#ring.start;
    if (outputOffset - this.#record.outputOffset < acknowledgeBytes) return;
    try {
      this.#update({ outputOffset, modes: this.#ring.modes });
    } catch (error) {
      // A full disk: the program waits once the engine keeps no more.
      this.#parts.logger.error({ session_id: this.#record.id, err: error }, "session could not be stored");
      return;
    }
    this.#parts.exec.acknowledge({ stdout: outputOffset, stderr: 0 });
  }

  /** Resolves when a client can take more, when there is none, or when the shell is to end: nobody may hold that up. */
  async #room(): Promise<void> {
    const isFull = () =>
      !this.#released &&
      !this.#lost &&
      this.#hangUp === undefined &&
      this.#clients.size > 0 &&
      Math.min(...Array.from(this.#clients, (client) => client.lag)) > maxLagBytes;
    while (isFull()) {
      await new Promise<void>((resolve) => {
        this.#wakePump = resolve;
      });
    }
  }

  #leave(client: SessionClient): void {
    client.finish({ kind: "error", error: new BoxRunError("CANCELED", "The client has left") }, "now");
    if (!this.#clients.delete(client)) return;
    this.#wakePump?.();
    this.#resize();
    if (this.#record.name === null) {
      void this.hangUp(new BoxRunError("CANCELED", "The client of this shell has left"));
    }
  }

  #dismiss(end: TerminalEnd): void {
    for (const client of this.#clients) client.finish(end, "now");
    this.#clients.clear();
    this.#wakePump?.();
  }

  async #tellEnd(): Promise<void> {
    const { exec, logger } = this.#parts;
    // What ignores one signal mostly heeds the other; the cancellation kills what is left after 5 s.
    const results = await Promise.allSettled([exec.cancel(), exec.signal("SIGHUP")]);
    for (const result of results) {
      if (result.status === "fulfilled" || this.#released || isOver(result.reason)) continue;
      logger.warn({ session_id: this.#record.id, err: result.reason }, "shell could not be told to end");
    }
  }

  /**
   * To what every client can show: the fewest columns and rows of any. `redraw`: the program is told also if nothing changes, so that
   * it draws its screen again for a client that has not seen it.
   */
  #resize(redraw = false): void {
    if (this.#clients.size === 0 || this.#end !== undefined) return;
    const sizes = Array.from(this.#clients, (client) => client.size);
    const size = {
      cols: Math.min(...sizes.map(({ cols }) => cols)),
      rows: Math.min(...sizes.map(({ rows }) => rows)),
    };
    const isSame = size.cols === this.#record.cols && size.rows === this.#record.rows;
    if (isSame && !redraw) return;
    this.#record = { ...this.#record, ...size };
    // One after the other, and what was overtaken meanwhile is left out.
    this.#resizing = (this.#resizing ?? Promise.resolve()).then(async () => {
      const { cols, rows } = this.#record;
      if (cols !== size.cols || rows !== size.rows) return;
      try {
        // The kernel tells programs of a change only.
        if (isSame) await this.#parts.exec.resize({ cols, rows: rows > 1 ? rows - 1 : rows + 1 });
        await this.#parts.exec.resize(size);
      } catch (error) {
        if (!isOver(error))
          this.#parts.logger.warn({ session_id: this.#record.id, err: error }, "terminal not resized");
      }
    });
    try {
      this.#update({});
    } catch (error) {
      this.#parts.logger.error({ session_id: this.#record.id, err: error }, "session could not be stored");
    }
  }

  #update(changes: Partial<SessionRecord>): void {
    const record = { ...this.#record, ...changes };
    this.#parts.store.update(record);
    this.#record = record;
  }
}

function isOver(error: unknown): boolean {
  return error instanceof BoxRunError && ["EXEC_ALREADY_FINISHED", "BOX_NOT_RUNNING"].includes(error.code);
}
