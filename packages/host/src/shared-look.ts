/**
 * One look at something for everybody who asks while the last look is under way: each gets what was there after they asked, and however many ask,
 * one look runs at a time.
 */
export class SharedLook<T> {
  readonly #look: () => Promise<T>;
  #underWay: Promise<unknown> = Promise.resolve();
  #next: Promise<T> | undefined;

  constructor(look: () => Promise<T>) {
    this.#look = look;
  }

  next(): Promise<T> {
    if (this.#next === undefined) {
      const next = this.#underWay.then(() => {
        this.#next = undefined;
        return this.#look();
      });
      this.#next = next;
      this.#underWay = next.catch(() => undefined);
    }
    return this.#next;
  }
}
