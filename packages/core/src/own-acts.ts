import type { Clock } from "./ports/clock.ts";
import type { BoxRecord, HistoryStore } from "./ports/store.ts";

/** Puts into the history what nobody has called for at that moment: the server's own doing. */
export class OwnActs {
  readonly #history: Pick<HistoryStore, "append">;
  readonly #clock: Clock;

  constructor({ store, clock }: { readonly store: { readonly history: HistoryStore }; readonly clock: Clock }) {
    this.#history = store.history;
    this.#clock = clock;
  }

  /** `why`: in a word or two. */
  done({ id, name }: Pick<BoxRecord, "id" | "name">, action: "stop" | "remove", why: string): void {
    this.#history.append({
      atMs: this.#clock.now(),
      boxId: id,
      boxName: name,
      action,
      target: why,
      cmd: null,
      execId: null,
      caller: { kind: "server", uid: null },
      userAgent: null,
      errorCode: null,
    });
  }
}
