import { type Box, BoxRunError, type Orphan } from "@boxrun/contract";
import type { Engines } from "../engines.ts";
import { KeyedLock } from "../keyed-lock.ts";
import { isPreparedNote } from "../pool/prepared-note.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Store } from "../ports/store.ts";
import type { BoxManager } from "./box-manager.ts";
import { readBoxNote, recordOfNote } from "./box-note.ts";

interface Parts {
  readonly store: Store;
  readonly engine: Engines;
  readonly boxes: BoxManager;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Boxes that an engine has and the store does not: found, told, and taken in or removed by whoever runs the server. */
export class Orphans {
  readonly #parts: Parts;
  readonly #lock = new KeyedLock();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async list(): Promise<Orphan[]> {
    const found = await this.#find();
    return await Promise.all(found.map((orphan) => this.#describe(orphan)));
  }

  /** The box, as its engine remembers it. BOX_NOT_FOUND if there is no such orphan; RUNTIME_ERROR if too little is known of it. */
  adopt(id: string): Promise<Box> {
    return this.#lock.run(id, async () => {
      const { engine, boxes, clock } = this.#parts;
      const orphan = await this.#get(id);
      const note = readBoxNote(id, await engine.recall(id));
      if (note === undefined) {
        throw new BoxRunError(
          "RUNTIME_ERROR",
          `Cannot take in box ${id}: its engine has no record of what it was, as of boxes of an older BoxRun. It can only be removed: ` +
            `\`boxrun recover --remove ${id}\``,
        );
      }
      return await boxes.recovery.takeIn(recordOfNote(note, orphan.engine, clock.now()));
    });
  }

  /** With its disk. BOX_NOT_FOUND if there is no such orphan. */
  remove(id: string): Promise<void> {
    return this.#lock.run(id, async () => {
      await this.#get(id);
      await this.#parts.engine.remove(id);
      this.#parts.logger.warn({ box_id: id }, "box removed that the database did not know");
    });
  }

  /** Says what there is. */
  async report(): Promise<void> {
    const { logger } = this.#parts;
    try {
      const orphans = await this.list();
      for (const orphan of orphans)
        logger.warn({ box_id: orphan.id, ...orphan }, "a box is here that the database does not know");
      if (orphans.length > 0) logger.warn({ count: orphans.length }, "`boxrun recover` takes them in or removes them");
    } catch (error) {
      logger.error({ err: error }, "could not look for boxes that the database does not know");
    }
  }

  async #describe({ id, engine }: { readonly id: string; readonly engine: string }): Promise<Orphan> {
    const note = readBoxNote(id, await this.#parts.engine.recall(id));
    return {
      id,
      engine,
      name: note?.name ?? null,
      image: note?.image ?? null,
      created_at: note?.created_at ?? null,
      adoptable: note !== undefined,
    };
  }

  async #get(id: string) {
    const orphan = (await this.#find()).find((found) => found.id === id);
    if (orphan === undefined) {
      throw new BoxRunError("BOX_NOT_FOUND", `There is no box ${JSON.stringify(id)} that the database does not know`);
    }
    return orphan;
  }

  /** Engines first: a box has its row before the engine hears of it. Those of the pool have none before somebody takes them. */
  async #find() {
    const { engine, store } = this.#parts;
    const everything = await engine.everything();
    const strangers = everything.filter(({ id }) => store.boxes.get(id) === undefined);
    for (const stranger of strangers) engine.recognize(stranger);
    const notes = await Promise.all(strangers.map(({ id }) => engine.recall(id)));
    return strangers.filter(({ id }, index) => !isPreparedNote(notes[index]) && store.boxes.get(id) === undefined);
  }
}
