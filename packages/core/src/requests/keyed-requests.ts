import {
  type Box,
  BoxRunError,
  type CreateBoxRequest,
  type Exec,
  type ExecRequest,
  isErrorCode,
  type RunRequest,
  type RunResponse,
  runResponseSchema,
} from "@boxrun/contract";
import { findBox } from "../boxes/box-lookup.ts";
import type { BoxManager } from "../boxes/box-manager.ts";
import type { ExecManager } from "../execs/exec-manager.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { KeyRecord, RequestKey, Store } from "../ports/store.ts";
import { runOnce } from "../run.ts";
import { execView } from "../views.ts";
import { Attendance } from "./attendance.ts";
import { keptAnswer } from "./kept-answer.ts";
import { requestKey } from "./request-key.ts";

interface Parts {
  readonly store: Store;
  readonly boxes: BoxManager;
  readonly execs: ExecManager;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Repeatable {
  /** The caller's name for this request; without one it is done whatever was done before. */
  readonly key: string | undefined;
  /** Called, before anything is awaited, if the key was there before: nothing is done then, and the answer is the first one's. */
  readonly onRepeat?: () => void;
}

/** A request that is being done. */
interface UnderWay extends RequestKey {
  readonly boxId: string | null;
  readonly result: Promise<unknown>;
}

/** How long a run with a key goes on when its caller has hung up: as long as an SDK tries to come back. */
const returnMs = 30_000;

/**
 * Requests that may be sent again under their key and are done once, also by the next server: the key is stored with what is made for
 * it, in one transaction, and before that nothing has happened. Two at once are one; what fails before anything was made may be tried again.
 */
export class KeyedRequests {
  readonly #parts: Parts;
  readonly #underWay = new Map<string, UnderWay>();
  readonly #attendances = new Map<string, Attendance>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** As `BoxManager.create`. A repeat answers with the box as it is now, or with why it never ran. */
  create(
    request: CreateBoxRequest,
    options: Repeatable & { readonly signal: AbortSignal; readonly onInserted?: (boxId: string) => void },
  ): Promise<Box> {
    const { key, onRepeat, ...create } = options;
    const { boxes } = this.#parts;
    if (key === undefined) return boxes.create(request, create);
    const asked = { ...requestKey("create", key, request), boxId: null };
    return this.#once(
      asked,
      onRepeat,
      () => boxes.create(request, { ...create, key: asked }),
      (made) => this.#box(made),
    );
  }

  /** As `ExecManager.start`. A repeat answers with the exec as it is now. */
  async exec(idOrName: string, request: ExecRequest, { key, onRepeat }: Repeatable): Promise<Exec> {
    const { execs, store } = this.#parts;
    if (key === undefined) return execs.start(idOrName, request);
    // Its name may be another one's by the time of the repeat.
    const { id } = findBox(store, idOrName);
    const asked = { ...requestKey("exec", key, request), boxId: id };
    return this.#once(
      asked,
      onRepeat,
      () => execs.start(id, request, { key: asked }),
      (made) => this.#exec(made),
    );
  }

  /**
   * A box for one command, as `runOnce`. `caller` aborts when that one hangs up, and `signal` when there is no more time: without a key either ends
   * the run, and with one it is given up when nobody has come back for it in time. A repeat answers with what the first one has.
   */
  async run(
    request: RunRequest,
    options: Repeatable & { readonly caller: AbortSignal; readonly signal: AbortSignal },
  ): Promise<RunResponse> {
    const { key, onRepeat, caller, signal } = options;
    const { boxes, execs } = this.#parts;
    if (key === undefined) return runOnce(request, { boxes, execs, signal: caller });
    const asked = { ...requestKey("run", key, request), boxId: null };
    const result = this.#once(asked, onRepeat, () => this.#run(request, asked, signal), answerOf);
    this.#attendances.get(asked.digest)?.join(caller);
    return result;
  }

  async #run(request: RunRequest, key: RequestKey, signal: AbortSignal): Promise<RunResponse> {
    const { boxes, execs, clock } = this.#parts;
    using attendance = new Attendance(clock, returnMs);
    this.#attendances.set(key.digest, attendance);
    const onAnswer = (answer: RunResponse) => this.#keep(key, answer);
    try {
      const either = AbortSignal.any([signal, attendance.abandoned]);
      return await runOnce(request, { boxes, execs, signal: either, key, onAnswer });
    } finally {
      this.#attendances.delete(key.digest);
    }
  }

  #keep({ digest }: RequestKey, answer: RunResponse): void {
    try {
      this.#parts.store.keys.answer(digest, JSON.stringify(keptAnswer(answer)));
    } catch (error) {
      // Whoever waits is answered all the same; a repeat will hear that the answer is missing.
      this.#parts.logger.error({ err: error }, "the answer of a run could not be kept");
    }
  }

  async #once<T>(
    asked: RequestKey & { readonly boxId: string | null },
    onRepeat: (() => void) | undefined,
    work: () => Promise<T>,
    again: (made: KeyRecord) => T,
  ): Promise<T> {
    const { digest } = asked;
    const first = this.#underWay.get(digest);
    if (first !== undefined) {
      this.#requireSame(asked, first);
      onRepeat?.();
      // By the digest, which has the operation in it, the result is of this kind.
      return (await first.result) as T;
    }
    const made = this.#parts.store.keys.get(digest);
    if (made !== undefined) {
      this.#requireSame(asked, asked.boxId === null ? { ...made, boxId: null } : made);
      onRepeat?.();
      return again(made);
    }
    const result = work();
    this.#underWay.set(digest, { ...asked, result });
    try {
      return await result;
    } finally {
      this.#underWay.delete(digest);
    }
  }

  #requireSame(asked: Omit<UnderWay, "result">, first: Omit<UnderWay, "result">): void {
    const isSame = asked.fingerprint === first.fingerprint;
    if (isSame && asked.boxId === first.boxId) return;
    // The name was given to another box meanwhile.
    if (isSame && first.boxId !== null && this.#parts.store.boxes.get(first.boxId) === undefined)
      throw removed(first.boxId);
    throw new BoxRunError(
      "IDEMPOTENCY_KEY_REUSED",
      "The Idempotency-Key was sent before, with another request: nothing was done",
    );
  }

  #box({ boxId }: KeyRecord): Box {
    const box = this.#parts.store.boxes.get(boxId);
    if (box === undefined) throw removed(boxId);
    if (box.status !== "error" || box.startedAtMs !== null) return this.#parts.boxes.get(boxId);
    const code = box.errorCode !== null && isErrorCode(box.errorCode) ? box.errorCode : "RUNTIME_ERROR";
    throw new BoxRunError(code, box.errorMessage ?? "The box could not be created", { details: { box_id: boxId } });
  }

  #exec({ boxId, execId }: KeyRecord): Exec {
    const exec = execId === null ? undefined : this.#parts.store.execs.get(execId);
    if (exec === undefined) throw removed(boxId);
    return execView(exec);
  }
}

function answerOf({ boxId, answer }: KeyRecord): RunResponse {
  if (answer !== null) return runResponseSchema.parse(JSON.parse(answer));
  throw new BoxRunError(
    "RUNTIME_ERROR",
    `The run with this Idempotency-Key was cut off, and its box ${boxId} is gone: whether its command came to an end is not known. ` +
      "To run it again, send it with another key.",
  );
}

function removed(boxId: string): BoxRunError {
  return new BoxRunError(
    "BOX_NOT_FOUND",
    `The request with this Idempotency-Key was done in box ${boxId}, which was removed`,
  );
}
