import type { BoxStatus, LabelFilter } from "@boxrun/contract";
import type { KeptWrites } from "../kept-writes.ts";
import type { BoxPatch, BoxRecord, BoxStore, PageRequest, RequestKey, Store } from "../ports/store.ts";

type Change = { readonly kind: "patch"; readonly patch: BoxPatch } | { readonly kind: "delete" };

/**
 * The store's boxes as they really are: with the changes that it could not take yet, which show at once and are stored as soon as that
 * works. So what is read of a box is true also on a full disk, and no transition is lost.
 */
export class KeptBoxes implements BoxStore {
  readonly #boxes: BoxStore;
  readonly #writes: KeptWrites;
  readonly #changes = new Map<string, Change>();

  constructor(boxes: BoxStore, writes: KeptWrites) {
    this.#boxes = boxes;
    this.#writes = writes;
  }

  /** The only change that may fail: nothing has happened yet. */
  insert(box: BoxRecord, key?: RequestKey): void {
    // A removed box's name is free, also if its row is still there.
    this.#writes.flush();
    this.#boxes.insert(box, key);
  }

  get(id: string): BoxRecord | undefined {
    return this.#changed(this.#boxes.get(id));
  }

  getByName(name: string): BoxRecord | undefined {
    return this.#changed(this.#boxes.getByName(name));
  }

  startingWith(prefix: string): readonly BoxRecord[] {
    return this.#boxes.startingWith(prefix).flatMap((row) => this.#changed(row) ?? []);
  }

  list(status?: BoxStatus, page?: PageRequest, labels?: LabelFilter): readonly BoxRecord[] {
    if (this.#changes.size === 0) return this.#boxes.list(status, page, labels);
    // A box's labels never change.
    const all = this.#boxes.list(undefined, page && { ...page, limit: Number.MAX_SAFE_INTEGER }, labels);
    const boxes = all.flatMap((row) => {
      const box = this.#changed(row);
      return box === undefined || (status !== undefined && box.status !== status) ? [] : [box];
    });
    return page === undefined ? boxes : boxes.slice(0, page.limit);
  }

  expiring(): ReturnType<BoxStore["expiring"]> {
    return this.#boxes.expiring().flatMap((row) => {
      const change = this.#changes.get(row.id);
      if (change?.kind === "delete") return [];
      const expiresAtMs = change === undefined ? row.expiresAtMs : (change.patch.expiresAtMs ?? row.expiresAtMs);
      return [{ id: row.id, expiresAtMs }];
    });
  }

  readonly cursor = (id: string): string => this.#boxes.cursor(id);

  count(): Record<BoxStatus, number> {
    const counts = this.#boxes.count();
    for (const id of this.#changes.keys()) {
      const row = this.#boxes.get(id);
      const box = this.#changed(row);
      if (row !== undefined) counts[row.status] -= 1;
      if (box !== undefined) counts[box.status] += 1;
    }
    return counts;
  }

  update(id: string, patch: BoxPatch): BoxRecord | undefined {
    const box = this.get(id);
    return box && this.change(box, patch);
  }

  /** The box as it is from now on, stored or not; `undefined` if it was removed. Never throws. */
  change(box: BoxRecord, patch: BoxPatch): BoxRecord | undefined {
    const before = this.#changes.get(box.id);
    if (before?.kind === "delete") return undefined;
    const whole = { ...before?.patch, ...patch };
    this.#changes.set(box.id, { kind: "patch", patch: whole });
    let stored: BoxRecord | undefined;
    const isStored = this.#writes.write(key(box.id), () => {
      stored = this.#boxes.update(box.id, whole);
      this.#changes.delete(box.id);
    });
    return isStored ? stored : { ...box, ...whole };
  }

  /** Gone at once for whoever reads. Never throws. */
  delete(id: string): void {
    this.#changes.set(id, { kind: "delete" });
    this.#writes.write(key(id), () => {
      this.#boxes.delete(id);
      this.#changes.delete(id);
    });
  }

  isDeleted(id: string): boolean {
    return this.#changes.get(id)?.kind === "delete";
  }

  /** Resolves once every change of the box is stored; rejects, with the store's reason, if that takes too long or `signal` aborts. */
  stored(id: string, signal?: AbortSignal): Promise<void> {
    return this.#writes.stored(key(id), signal);
  }

  #changed(box: BoxRecord | undefined): BoxRecord | undefined {
    const change = box && this.#changes.get(box.id);
    if (box === undefined || change === undefined) return box;
    return change.kind === "delete" ? undefined : { ...box, ...change.patch };
  }
}

const key = (boxId: string) => `box ${boxId}`;

/** The store with nothing in it of what was removed, and with every end kept until it is stored. */
export function keptStore(store: Store, boxes: KeptBoxes, writes: KeptWrites): Store {
  const { execs, sessions, unconfirmedEnds } = store;
  return {
    ...store,
    boxes,
    execs: {
      ...execs,
      get: (id) => {
        const exec = execs.get(id);
        return exec === undefined || boxes.isDeleted(exec.boxId) ? undefined : exec;
      },
      running: () => execs.running().filter(({ boxId }) => !boxes.isDeleted(boxId)),
    },
    sessions: {
      ...sessions,
      insert: (session) => {
        // The name of a session that has ended is free, also if its row is still there.
        writes.flush();
        sessions.insert(session);
      },
      delete: (id, options) => {
        writes.write(`session ${id}`, () => sessions.delete(id, options));
      },
    },
    unconfirmedEnds: {
      ...unconfirmedEnds,
      list: () => unconfirmedEnds.list().filter(({ boxId }) => !boxes.isDeleted(boxId)),
      confirm: (execId, message) => {
        writes.write(`end of ${execId}`, () => unconfirmedEnds.confirm(execId, message));
      },
    },
  };
}
