import { setImmediate as nextTurn } from "node:timers/promises";

export interface Batch<T> {
  readonly items: readonly T[];
  /** The source has ended behind it. Where that shows only later, no batch is the last. */
  readonly isLast: boolean;
}

/**
 * Reads ahead of its consumer: while one batch is being worked on, the next gathers, up to about `maxWeight`. Then it stops
 * reading, so that the source feels the back pressure.
 */
export async function* batches<T>(
  source: AsyncIterable<T>,
  maxWeight: number,
  weigh: (item: T) => number,
): AsyncGenerator<Batch<T>> {
  let gathered: T[] = [];
  let weight = 0;
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wakeReader: (() => void) | undefined;
  let wakeConsumer: (() => void) | undefined;
  let abandoned = false;

  const read = async () => {
    for await (const item of source) {
      gathered.push(item);
      weight += weigh(item);
      wakeConsumer?.();
      while (weight >= maxWeight && !abandoned) {
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
      }
      if (abandoned) return;
    }
  };
  read()
    .catch((error: unknown) => {
      failure = { error };
    })
    .finally(() => {
      ended = true;
      wakeConsumer?.();
    });

  try {
    for (;;) {
      if (gathered.length > 0) {
        const batch = gathered;
        gathered = [];
        weight = 0;
        wakeReader?.();
        yield { items: batch, isLast: ended && failure === undefined };
      } else if (ended) {
        if (failure !== undefined) throw failure.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          wakeConsumer = resolve;
        });
        wakeConsumer = undefined;
        // What comes together is one batch, and its end with it.
        await nextTurn();
      }
    }
  } finally {
    abandoned = true;
    wakeReader?.();
  }
}
