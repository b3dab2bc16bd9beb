import type { BoxDeath } from "@boxrun/core";
import type { MemoryBox } from "./box.ts";

/** What outlives a server: boxes and what runs in them. Give the same host to a second engine to play a restart of the server. */
export class MemoryHost {
  readonly boxes = new Map<string, MemoryBox>();
  readonly #deathListeners = new Set<(death: BoxDeath) => void>();
  #engineIds = 0;

  /** A VM dies, and nobody asked for it. No-op for a box that is not running. */
  kill(boxId: string, reason = "killed by the test"): void {
    const box = this.boxes.get(boxId);
    if (box?.state !== "running") return;
    box.state = "dead";
    box.loseExecs(`the box died: ${reason}`);
    for (const listener of this.#deathListeners) listener({ boxId, reason });
  }

  /** The VM is there and answers nothing, as one whose process is frozen; what runs in it goes on. */
  silence(boxId: string, why = "its agent does not answer"): void {
    this.boxes.get(boxId)?.fallSilent(why);
  }

  /** It answers again, those who connect to it anew. */
  answer(boxId: string): void {
    this.boxes.get(boxId)?.answerAgain();
  }

  /** Its agent takes every timeout, cancel and signal, and ends nothing. */
  ignoreEnds(boxId: string): void {
    this.boxes.get(boxId)?.ignoreEnds();
  }

  onDeath(listener: (death: BoxDeath) => void): () => void {
    this.#deathListeners.add(listener);
    return () => this.#deathListeners.delete(listener);
  }

  nextEngineId(): string {
    this.#engineIds += 1;
    return `mem-${this.#engineIds}`;
  }
}
