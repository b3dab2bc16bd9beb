import { type AttachRequest, BoxRunError, type Session as SessionView, toBoxRunError } from "@boxrun/contract";
import { findBox, requireAllowed } from "../boxes/box-lookup.ts";
import type { Reach } from "../boxes/reach.ts";
import { SteadyExec } from "../execs/steady-exec.ts";
import type { UnconfirmedEnds } from "../execs/unconfirmed-ends.ts";
import { ExpectedEnds } from "../expected-ends.ts";
import { newSessionId } from "../ids.ts";
import { KeyedLock } from "../keyed-lock.ts";
import type { Clock } from "../ports/clock.ts";
import type { Engine, EngineExec, OutputOffsets } from "../ports/engine.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord, SessionRecord, Store } from "../ports/store.ts";
import { type RetryTimes, whileBusy } from "../retry.ts";
import { within } from "../within.ts";
import type { AttachedTerminal } from "./client.ts";
import { Session } from "./session.ts";
import { shellSpec } from "./shell.ts";

interface Parts {
  readonly store: Store;
  readonly engine: Engine;
  readonly reach: Reach;
  readonly unconfirmedEnds: UnconfirmedEnds;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly retryTimes: RetryTimes;
}

/** What shells get to be told to end in when the server stops. */
const releaseMs = 2_000;

/**
 * The shells that clients attach to. Each is an exec of the engine and a row of the store, also one without a name: so that the next
 * server can end what this one's clients have left.
 */
export class SessionManager {
  readonly #parts: Parts;
  readonly #sessions = new Map<string, Session>();
  /** One at a time attaches to a name, so that ten who come at once start one shell. */
  readonly #lock = new KeyedLock();
  readonly #expectedEnds = new ExpectedEnds();
  #released = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** How many there are, those without a name included. */
  get count(): number {
    return this.#sessions.size;
  }

  /** Whether a client could attach now. BOX_NOT_FOUND, BOX_NOT_RUNNING, NOT_SUPPORTED. */
  async check(idOrName: string): Promise<void> {
    const box = this.#usable(idOrName);
    const { capabilities } = await this.#parts.engine.describe();
    if (!capabilities.includes("tty")) {
      throw new BoxRunError(
        "NOT_SUPPORTED",
        `Cannot attach to box ${box.name ?? box.id}: the engine ${box.engine} has no terminals`,
      );
    }
  }

  /** A shell of its own for this client, or the session that the request names. */
  async attach(idOrName: string, request: AttachRequest): Promise<AttachedTerminal> {
    await this.check(idOrName);
    const box = this.#usable(idOrName);
    await this.#parts.reach.answer(box);
    const size = { cols: request.cols, rows: request.rows };
    const { session: name, share } = request;
    if (name === undefined) return (await this.#start(box, request)).attach({ size, share: false, isNew: true });
    return this.#lock.run(`${box.id} ${name}`, async () => {
      const there = this.#named(box.id, name);
      if (there?.isEnding === false) return there.attach({ size, share, isNew: false });
      // Its name is free once it is gone.
      await there?.done;
      return (await this.#start(this.#usable(box.id), request)).attach({ size, share, isNew: true });
    });
  }

  /** Those that have a name, newest first. */
  async list(idOrName: string): Promise<SessionView[]> {
    const box = findBox(this.#parts.store, idOrName);
    const survives = await this.#surviveServer();
    return [...this.#sessions.values()]
      .filter(({ record, hasEnded }) => record.boxId === box.id && record.name !== null && !hasEnded)
      .sort((a, b) => b.record.createdAtMs - a.record.createdAtMs)
      .map((session) => view(session, survives));
  }

  /** Resolves when the shell and everything that was started in it are gone. SESSION_NOT_FOUND; BOX_UNREACHABLE if the box has not said so in time. */
  async remove(idOrName: string, name: string): Promise<void> {
    const box = findBox(this.#parts.store, idOrName);
    const session = this.#named(box.id, name);
    if (session === undefined) {
      throw new BoxRunError("SESSION_NOT_FOUND", `Box ${box.name ?? box.id} has no session ${JSON.stringify(name)}`);
    }
    await session.hangUp(new BoxRunError("CANCELED", `Session ${name} was removed`));
    await session.done;
    if (session.isUnconfirmed) {
      throw new BoxRunError(
        "BOX_UNREACHABLE",
        `Session ${name} was told to end, and box ${box.name ?? box.id} has not confirmed it: its programs may still run. Stopping the box ends them for sure`,
      );
    }
  }

  /** Ends a box's sessions by what `endBox` does to the box, and resolves once they are gone. Meanwhile new ones are refused. */
  async endAll(boxId: string, message: string, endBox: () => Promise<void>): Promise<void> {
    await this.#expectedEnds.during(boxId, message, async () => {
      await endBox();
      const ours = this.#of(boxId);
      for (const session of ours) session.endsWithBox(new BoxRunError("BOX_NOT_RUNNING", message));
      await Promise.all(ours.map((session) => session.done));
    });
  }

  /** Picks up the sessions that the last server left, and ends the shells that nobody can come back to. Called once, after the boxes were recovered. */
  async recover(left: readonly SessionRecord[]): Promise<void> {
    await Promise.all(left.map((record) => this.#resume(record)));
  }

  /** Lets go of every session. Those that can't go on without the server end, and their clients are told. */
  async release(): Promise<void> {
    this.#released = true;
    const survives = await this.#surviveServer();
    const ended: Promise<unknown>[] = [];
    for (const session of this.#sessions.values()) {
      const { name } = session.record;
      if (name !== null && survives) {
        session.release(new BoxRunError("CANCELED", `The server is shutting down; session ${name} goes on`));
        continue;
      }
      const why = name === null ? "and the shell ends" : `and session ${name} ends: its engine can't keep it`;
      ended.push(
        session.hangUp(new BoxRunError("CANCELED", `The server is shutting down, ${why}`)).then(() => session.done),
      );
    }
    // What is too slow is ended by the next server.
    await within(releaseMs, Promise.all(ended));
    for (const session of this.#sessions.values()) {
      session.release(new BoxRunError("CANCELED", "The server is shutting down"));
    }
  }

  /** Once the engine is closed: resolves when nothing writes to the store any more. */
  async settled(): Promise<void> {
    await Promise.all(Array.from(this.#sessions.values(), (session) => session.done));
  }

  async #start(box: BoxRecord, request: AttachRequest): Promise<Session> {
    const { store, engine, clock, retryTimes } = this.#parts;
    const record: SessionRecord = {
      id: newSessionId(),
      boxId: box.id,
      name: request.session ?? null,
      shell: request.shell ?? null,
      cols: request.cols,
      rows: request.rows,
      createdAtMs: clock.now(),
      outputOffset: 0,
      modes: [],
    };
    await whileBusy(() => store.sessions.insert(record), retryTimes);
    const { session, exec } = this.#follow(record, () => engine.exec(box.id, shellSpec(record.id, box, request)));
    try {
      await exec.started;
      return session;
    } catch (error) {
      // It ends by that, and its row with it.
      await session.done;
      throw toBoxRunError(error, "RUNTIME_ERROR");
    }
  }

  async #resume(record: SessionRecord): Promise<void> {
    const { store, engine } = this.#parts;
    if (store.boxes.get(record.boxId)?.status !== "running") {
      store.sessions.delete(record.id, { isUnconfirmed: false });
      return;
    }
    const begin = async () => {
      const found = await engine.resumeExec(record.boxId, record.id, { stdout: record.outputOffset, stderr: 0 });
      if (found === undefined) throw new BoxRunError("RUNTIME_ERROR", "The box no longer has this session's shell");
      return found;
    };
    const { session, exec } = this.#follow(record, begin);
    if (record.name === null) void session.hangUp(new BoxRunError("CANCELED", "The client of this shell is gone"));
    await exec.started.catch(() => session.done);
  }

  #follow(record: SessionRecord, begin: () => Promise<EngineExec>): { session: Session; exec: SteadyExec } {
    const { store, engine, reach, unconfirmedEnds, clock, logger, retryTimes } = this.#parts;
    const boxEnd = () => {
      const message = this.#expectedEnds.get(record.boxId);
      return message === undefined ? undefined : new BoxRunError("BOX_NOT_RUNNING", message);
    };
    const { id, boxId, outputOffset } = record;
    const resume = (from: OutputOffsets) => engine.resumeExec(boxId, id, from);
    const from = { stdout: outputOffset, stderr: 0 };
    const exec = new SteadyExec({ id, boxId, from, begin, resume, reach, retryTimes });
    const session = new Session(record, { exec, store: store.sessions, clock, logger, boxEnd });
    this.#sessions.set(id, session);
    void session.done.then(async () => {
      this.#sessions.delete(id);
      if (!session.isUnconfirmed) return;
      await exec.settled();
      unconfirmedEnds.tell({ execId: id, boxId, acknowledged: exec.stored });
    });
    return { session, exec };
  }

  #usable(idOrName: string): BoxRecord {
    if (this.#released) throw new BoxRunError("CANCELED", "The server is shutting down");
    const box = findBox(this.#parts.store, idOrName);
    requireAllowed(box, "exec");
    const ending = this.#expectedEnds.get(box.id);
    if (ending !== undefined)
      throw new BoxRunError("BOX_NOT_RUNNING", `Cannot use box ${box.name ?? box.id}: ${ending}`);
    return box;
  }

  #named(boxId: string, name: string): Session | undefined {
    return this.#of(boxId).find(({ record }) => record.name === name);
  }

  #of(boxId: string): Session[] {
    return [...this.#sessions.values()].filter(({ record }) => record.boxId === boxId);
  }

  async #surviveServer(): Promise<boolean> {
    return (await this.#parts.engine.describe()).capabilities.includes("exec-resume");
  }
}

function view({ record, clientCount }: Session, survivesServer: boolean): SessionView {
  return {
    name: record.name ?? "",
    box_id: record.boxId,
    shell: record.shell,
    cols: record.cols,
    rows: record.rows,
    clients: clientCount,
    survives_server: survivesServer,
    created_at: new Date(record.createdAtMs).toISOString(),
  };
}
