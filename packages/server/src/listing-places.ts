/** Each listing holds some 1 MiB at most: what the agent may send before it is read, and a batch on either side of the route. */
const defaultPlaces = 32;
/** One that does not get on, with its agent or its reader, takes no more than its share from the other boxes. */
const defaultPerBox = 4;
/** How long a reader may stand still while others wait, in milliseconds. */
const defaultStillMs = 10_000;

interface Place {
  readonly boxId: string;
  readonly cutOff: () => void;
  /** Since when nobody reads; `undefined` while somebody does. */
  stillSinceMs: number | undefined;
}

interface Waiting {
  readonly place: Place;
  readonly grant: () => void;
}

export interface ListingPlacesOptions {
  readonly places?: number;
  readonly perBox?: number;
  readonly stillMs?: number;
}

/**
 * Bounds the listings of directories that are under way at once, and by that the memory of all of them: others wait, and have asked no box for
 * anything yet. A reader that stands still keeps its place until somebody waits for it.
 */
export class ListingPlaces {
  readonly #options: Required<ListingPlacesOptions>;
  /** In the order of their coming. */
  readonly #taken = new Set<Place>();
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ListingPlacesOptions = {}) {
    this.#options = { places: defaultPlaces, perBox: defaultPerBox, stillMs: defaultStillMs, ...options };
  }

  /**
   * `items` from when there is a place for them to when they are over; rejects with the reason of `signal`. `cutOff` is called where they are not
   * taken any more: it has to end them.
   */
  async *during<Item>(
    items: AsyncIterable<Item>,
    { boxId, signal, cutOff }: { readonly boxId: string; readonly signal: AbortSignal; readonly cutOff: () => void },
  ): AsyncGenerator<Item> {
    const place: Place = { boxId, cutOff, stillSinceMs: undefined };
    await this.#take(place, signal);
    try {
      for await (const item of items) {
        place.stillSinceMs = performance.now();
        yield item;
        place.stillSinceMs = undefined;
      }
    } finally {
      this.#taken.delete(place);
      this.#look();
    }
  }

  async #take(place: Place, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { place, grant: resolve };
    const giveUp = () => {
      if (!this.#waiting.includes(waiting)) return;
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      reject(signal.reason);
    };
    this.#waiting.push(waiting);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      this.#look();
      await promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Gives what is free to who has waited for longest. */
  #look(): void {
    const { places, perBox, stillMs } = this.#options;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = this.#waiting.filter(({ place, grant }) => {
      if (this.#taken.size >= places || this.#of(place.boxId).length >= perBox) return true;
      this.#taken.add(place);
      grant();
      return false;
    });
    const [first] = this.#waiting;
    if (first === undefined) return;
    this.#cutOffStill(first.place);
    this.#timer = setTimeout(() => this.#look(), stillMs).unref();
  }

  /** Makes room for `wanted`, if somebody in its way has stood still for long enough. Their place is free when they have ended. */
  #cutOffStill(wanted: Place): void {
    const ofBox = this.#of(wanted.boxId);
    const inItsWay = ofBox.length >= this.#options.perBox ? ofBox : [...this.#taken];
    const before = performance.now() - this.#options.stillMs;
    const still = inItsWay.filter(({ stillSinceMs }) => stillSinceMs !== undefined && stillSinceMs <= before);
    still.sort((a, b) => (a.stillSinceMs ?? 0) - (b.stillSinceMs ?? 0));
    still[0]?.cutOff();
  }

  #of(boxId: string): Place[] {
    return [...this.#taken].filter((place) => place.boxId === boxId);
  }
}
