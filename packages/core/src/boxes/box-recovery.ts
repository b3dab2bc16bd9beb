import { type Box, BoxRunError, toBoxRunError } from "@boxrun/contract";
import { eachOf } from "../each-of.ts";
import type { Engines } from "../engines.ts";
import type { ImageManager } from "../images/image-manager.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord, Store } from "../ports/store.ts";
import { nowOrLater, type RetryTimes } from "../retry.ts";
import type { ServerEvents } from "../server-events.ts";
import type { PublishedPorts } from "../services/published-ports.ts";
import { boxView } from "../views.ts";
import { adoptBox } from "./adopt.ts";
import type { BoxChanges } from "./box-changes.ts";
import type { BoxEnds } from "./box-ends.ts";
import { findBox } from "./box-lookup.ts";
import type { BoxTurns } from "./box-turns.ts";
import type { Reach } from "./reach.ts";
import type { Resources } from "./resources.ts";
import { shownBox } from "./shown-box.ts";

interface Parts {
  readonly store: Store;
  readonly engine: Engines;
  readonly images: ImageManager;
  readonly resources: Resources;
  readonly published: PublishedPorts;
  readonly reach: Reach;
  readonly events: ServerEvents;
  readonly logger: Logger;
  readonly retryTimes: RetryTimes;
  readonly changes: BoxChanges;
  readonly turns: BoxTurns;
  /** The server lets go of its boxes. */
  readonly released: AbortSignal;
  readonly ends: BoxEnds;
  /** Removes the box of a request that an earlier server had: by force, under the box's turn. */
  readonly reapNow: (box: BoxRecord) => Promise<void>;
  /** Later, if it does not work now. */
  readonly reap: (boxId: string) => Promise<void>;
}

/** Each connects to a VM, and asks its agent. */
const adoptionsAtOnce = 32;
/** Each looks at a few files; the look at the host's processes is one for all that ask at the same time. */
const leftoversAtOnce = 256;

/** Finds out what has become of boxes: of those of the last server, of those that do not answer, and of those that the store does not know. */
export class BoxRecovery {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A box that an engine has and the store did not: it has a row from now on, as what is found of it. */
  async takeIn(record: BoxRecord): Promise<Box> {
    const { store, engine, events, logger } = this.#parts;
    return this.#parts.turns.run(record.id, async () => {
      const box =
        record.name !== null && store.boxes.getByName(record.name) !== undefined ? { ...record, name: null } : record;
      store.boxes.insert(box);
      engine.recognize(box);
      events.box(boxView(box));
      logger.warn({ box_id: box.id, name: box.name }, "box taken in that the database did not know");
      await this.#parts.published.takeUp(box);
      await this.#takeOver(box, this.#parts.released);
      return this.#shown(findBox(store, box.id));
    });
  }

  /** Once more, for a box that does not answer: one that has died by now, or was never there, is shown so. */
  async tryToReach(boxId: string): Promise<void> {
    await this.#parts.turns.interruptible(boxId, new AbortController().signal, async (signal) => {
      const box = this.#parts.store.boxes.get(boxId);
      if (box?.status === "running") await this.#takeOver(box, signal);
      else this.#parts.reach.over(boxId, new BoxRunError("BOX_NOT_RUNNING", `Box ${boxId} is not running`));
    });
  }

  /** Whether a running box answers, or what of it does not work, has changed. */
  tellReach(boxId: string): void {
    try {
      const box = this.#parts.store.boxes.get(boxId);
      if (box !== undefined) this.#parts.events.box(this.#shown(box));
    } catch (error) {
      // Whoever watches asks again; whoever tries to reach the box must not be held up by this.
      this.#parts.logger.warn({ box_id: boxId, err: error }, "a box that does or does not answer could not be read");
    }
  }

  /**
   * Brings the records of the last server in line with what is really there. Called once, before anything else. Those that ran come first, so many at a
   * time that none waits for the others' sake longer than it takes to be reached. Once `signal` aborts, what is left is left to the next server.
   * `onRecovered` is called for each box as soon as it is in line, and belongs to its recovery.
   */
  async recover(signal: AbortSignal, onRecovered: (boxId: string) => Promise<void>): Promise<void> {
    const boxes = this.#parts.store.boxes.list();
    const isLive = ({ status }: BoxRecord) => status === "running" || status === "creating";
    // What runs may hold resources from the first moment on, whether it was reached yet or not.
    const running = boxes.filter(({ status }) => status === "running");
    for (const box of running) this.#parts.resources.hold(box.id, box);
    await Promise.all(running.map((box) => this.#parts.published.takeUp(box)));
    const recover = async (box: BoxRecord) => {
      if (!signal.aborted) await this.#parts.turns.run(box.id, () => this.#recover(box, signal));
      if (!signal.aborted) await onRecovered(box.id);
    };
    await eachOf(boxes.filter(isLive), adoptionsAtOnce, recover);
    await eachOf(
      boxes.filter((box) => !isLive(box)),
      leftoversAtOnce,
      recover,
    );
  }

  async #recover(box: BoxRecord, signal: AbortSignal): Promise<void> {
    const { engine } = this.#parts;
    engine.recognize(box);
    try {
      // Nobody waits for it any more.
      if (box.ephemeral) await this.#parts.reapNow(box);
      else if (box.status === "creating" || box.status === "running") {
        if (box.status === "running") await this.#takeOver(box, signal);
        else if (engine.has(box)) await this.#abandonCreate(box);
        else this.#lose(box);
      } else if (engine.trouble(box) === undefined) {
        // A start that the last server did not finish must not leave a VM that nobody counts.
        await this.#eventually(box.id, "stop", async () => void (await engine.stop(box.id)));
      }
    } catch (error) {
      this.#parts.logger.error({ box_id: box.id, err: error }, "box could not be recovered");
      // Behind this lock.
      if (box.ephemeral) void this.#parts.reap(box.id);
      if (box.status !== "running") return this.#parts.changes.failed(box, toBoxRunError(error, "RUNTIME_ERROR"));
      // What went wrong here says nothing of the VM.
      this.#parts.resources.hold(box.id, box);
      this.#parts.reach.lost(box.id, toBoxRunError(error).message);
    }
  }

  async #abandonCreate(box: BoxRecord): Promise<void> {
    await this.#eventually(box.id, "remove", () => this.#parts.engine.remove(box.id));
    this.#parts.changes.failed(
      box,
      new BoxRunError("RUNTIME_ERROR", "The server stopped while the box was being created"),
    );
  }

  /** Ends what the last server has left of a box that does not run; if that does not work now, later, unless the box runs by then. */
  async #eventually(boxId: string, operation: string, end: () => Promise<void>): Promise<void> {
    const { logger, store, retryTimes: times } = this.#parts;
    const onFailure = (error: unknown) => {
      logger.error({ box_id: boxId, operation, err: error }, "what is left of a box could not be ended yet");
    };
    const again = () =>
      this.#parts.turns.run(boxId, async () => {
        const status = store.boxes.get(boxId)?.status;
        if (status === "stopped" || status === "error") await end();
      });
    await nowOrLater(end, { times, signal: this.#parts.released, onFailure }, again);
  }

  /** A server that has its engine again ends what is left of its VM. */
  #lose(box: BoxRecord): void {
    const message = "The server was started without the box's engine; its creation was given up";
    this.#parts.changes.failed(box, new BoxRunError("RUNTIME_ERROR", message));
  }

  /** Only the proof that its VM is gone ends a box; until then it runs, holds what it has, and is tried again. */
  async #takeOver(box: BoxRecord, signal: AbortSignal): Promise<void> {
    const { resources, reach, logger } = this.#parts;
    const found = await adoptBox(box, this.#parts, signal);
    if (signal.aborted) return;
    if (found.state === "running" || found.state === "unreachable") {
      resources.hold(box.id, box);
      if (found.state === "unreachable") return reach.lost(box.id, found.why);
      logger.info({ box_id: box.id }, "box taken over");
      return reach.found(box.id);
    }
    const what = found.state === "dead" ? "its disk is there" : "nothing of it is left";
    const when = reach.why(box.id) === undefined ? "while no server was running" : "while it could not be reached";
    logger.warn({ box_id: box.id, found: found.state }, `the box's VM ended ${when}`);
    const message = `The box's VM ended ${when}; ${what}`;
    void this.#parts.ends.endAll(box.id, message, () => Promise.resolve());
    this.#parts.changes.failed(box, new BoxRunError("RUNTIME_ERROR", message));
  }

  #shown(box: BoxRecord): Box {
    return shownBox(box, this.#parts);
  }
}
