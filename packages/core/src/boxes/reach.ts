import { BoxRunError } from "@boxrun/contract";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import { unlessAborted } from "../unless-aborted.ts";

interface Parts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Tries once to reach the box, and says what it found: `found`, `lost`, or `over`. */
  readonly probe: (boxId: string) => Promise<void>;
  /** Whether a box answers has changed, or why it does not. */
  readonly onChange: (boxId: string) => void;
}

/** A running box that does not answer. */
interface Silence {
  why: string;
  pauseMs: number;
  readonly end: PromiseWithResolvers<void>;
  timer: Disposable | undefined;
}

/** Between two attempts to reach a box: most that fall silent are back soon, and one that is not costs little. */
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** How long a call waits for a box that does not answer. */
const answerLimitMs = 30_000;

/**
 * The running boxes that do not answer. Not to answer is no end: such a box is tried again, with growing pauses, until it does, until its end is
 * proven, or until somebody stops or removes it. Nothing of this is stored, because only a server that tries can know.
 */
export class Reach {
  readonly #parts: Parts;
  readonly #silences = new Map<string, Silence>();
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Why a running box does not answer; `undefined` if it does. */
  why(boxId: string): string | undefined {
    return this.#silences.get(boxId)?.why;
  }

  /** It has not answered: from here on it is tried again. */
  lost(boxId: string, why: string): void {
    if (this.#closed) return;
    const known = this.#silences.get(boxId);
    if (known === undefined) {
      const silence: Silence = { why, pauseMs: firstPauseMs, end: Promise.withResolvers(), timer: undefined };
      // Whether anybody waits for it is not known.
      silence.end.promise.catch(() => undefined);
      this.#silences.set(boxId, silence);
      this.#parts.logger.warn({ box_id: boxId, why }, "box does not answer; it is tried again until it does");
      this.#tryLater(boxId, silence);
    } else if (known.why === why) return;
    else known.why = why;
    this.#parts.onChange(boxId);
  }

  /** It has answered. */
  found(boxId: string): void {
    const silence = this.#forget(boxId);
    if (silence === undefined) return;
    silence.end.resolve();
    this.#parts.logger.info({ box_id: boxId }, "box answers again");
    this.#parts.onChange(boxId);
  }

  /** It runs no more: nobody need wait for it. */
  over(boxId: string, reason: Error): void {
    this.#forget(boxId)?.end.reject(reason);
  }

  /** Resolves once the box answers, at once if it does; rejects if it ends without. */
  async back(boxId: string): Promise<void> {
    await this.#silences.get(boxId)?.end.promise;
  }

  /** Waits a while for a box that does not answer. BOX_UNREACHABLE if it stays so; nothing was asked of it then. */
  async answer({ id, name }: { readonly id: string; readonly name: string | null }): Promise<void> {
    if (this.why(id) !== undefined) await this.inTime(id, `use box ${name ?? id}`, this.back(id));
  }

  /** What `answer` gives. BOX_UNREACHABLE if the box, which was asked, takes too long. */
  async inTime<T>(boxId: string, operation: string, answer: Promise<T>, limitMs = answerLimitMs): Promise<T> {
    const late = new AbortController();
    using _ = this.#parts.clock.after(limitMs, () => {
      const why = this.why(boxId) ?? `it has not answered for ${limitMs / 1000} s`;
      late.abort(new BoxRunError("BOX_UNREACHABLE", `Cannot ${operation}: ${why}`));
    });
    return await unlessAborted(answer, late.signal);
  }

  /** The server lets go of its boxes: nothing is tried any more, and who waits is told. */
  close(reason: Error): void {
    this.#closed = true;
    for (const boxId of [...this.#silences.keys()]) this.over(boxId, reason);
  }

  #forget(boxId: string): Silence | undefined {
    const silence = this.#silences.get(boxId);
    silence?.timer?.[Symbol.dispose]();
    this.#silences.delete(boxId);
    return silence;
  }

  #tryLater(boxId: string, silence: Silence): void {
    silence.timer = this.#parts.clock.after(silence.pauseMs, () => void this.#try(boxId, silence));
    silence.pauseMs = Math.min(silence.pauseMs * 2, longestPauseMs);
  }

  async #try(boxId: string, silence: Silence): Promise<void> {
    try {
      await this.#parts.probe(boxId);
    } catch (error) {
      this.#parts.logger.error({ box_id: boxId, err: error }, "a box that does not answer could not be tried again");
    }
    if (this.#silences.get(boxId) === silence) this.#tryLater(boxId, silence);
  }
}
