import { BoxRunError, toBoxRunError } from "@boxrun/contract";
import type { Engines } from "../engines.ts";
import type { Clock } from "../ports/clock.ts";
import type { BoxPatch, BoxRecord } from "../ports/store.ts";
import type { ServerEvents } from "../server-events.ts";
import type { PublishedPorts } from "../services/published-ports.ts";
import type { KeptBoxes } from "./kept-boxes.ts";
import type { Reach } from "./reach.ts";
import type { Resources } from "./resources.ts";
import { shownBox } from "./shown-box.ts";

interface Parts {
  readonly keptBoxes: KeptBoxes;
  readonly engine: Engines;
  readonly resources: Resources;
  readonly published: PublishedPorts;
  readonly events: ServerEvents;
  readonly reach: Reach;
  readonly clock: Clock;
}

/** Writes down what has happened to a box, tells who watches, and gives its resources back when it no longer runs. */
export class BoxChanges {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The box as it is from now on. BOX_NOT_FOUND if it was removed. */
  update(box: BoxRecord, patch: BoxPatch): BoxRecord {
    const changed = this.#change(box, patch);
    if (changed === undefined) throw new BoxRunError("BOX_NOT_FOUND", `Box ${box.id} was removed`);
    return changed;
  }

  running(box: BoxRecord): BoxRecord {
    const startedAtMs = this.#parts.clock.now();
    // What has ended it once does not end its next life.
    const over = box.expiresAtMs !== null && box.expiresAtMs <= startedAtMs && box.stoppedAtMs !== null;
    return this.update(box, {
      status: "running",
      startedAtMs,
      stoppedAtMs: null,
      errorCode: null,
      errorMessage: null,
      ...(over ? { expiresAtMs: null } : {}),
    });
  }

  stopped(box: BoxRecord): BoxRecord {
    this.#giveBack(box.id);
    return this.update(box, { status: "stopped", stoppedAtMs: this.#parts.clock.now() });
  }

  /** Never throws. */
  failed(box: BoxRecord, error: BoxRunError): void {
    this.#giveBack(box.id);
    const stoppedAtMs = this.#parts.clock.now();
    this.#change(box, { status: "error", errorCode: error.code, errorMessage: error.message, stoppedAtMs });
  }

  removed(box: BoxRecord): void {
    this.#parts.keptBoxes.delete(box.id);
    this.#giveBack(box.id);
    this.#parts.events.boxRemoved(box.id);
  }

  /** Resolves once all that was written of a box is stored. What has happened has happened; only its caller must not take it for stored. */
  async stored(box: BoxRecord, what: string): Promise<void> {
    try {
      await this.#parts.keptBoxes.stored(box.id);
    } catch (error) {
      const { message } = toBoxRunError(error);
      throw new BoxRunError(
        "RUNTIME_ERROR",
        `Box ${box.name ?? box.id} ${what}, but that could not be stored yet, and is tried again: ${message}`,
        { cause: error },
      );
    }
  }

  #giveBack(boxId: string): void {
    this.#parts.resources.release(boxId);
    this.#parts.published.close(boxId);
  }

  #change(box: BoxRecord, patch: BoxPatch): BoxRecord | undefined {
    const changed = this.#parts.keptBoxes.change(box, patch);
    if (changed !== undefined) this.#tell(changed);
    return changed;
  }

  #tell(box: BoxRecord): void {
    const { engine, events } = this.#parts;
    events.box(shownBox(engine.told(box), this.#parts));
  }
}
