/**
 * Reads ahead of its consumer: while one batch is being worked on, the next gathers, up to about `maxWeight`. Then it stops
 * reading, so that the source feels the back pressure.
 */
export async function* batches<T>(
  source: AsyncIterable<T>,
  maxWeight: number,
  weigh: (item: T) => number,
): AsyncGenerator<T[]> {
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
        yield batch;
      } else if (ended) {
        if (failure !== undefined) throw failure.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          wakeConsumer = resolve;
        });
        wakeConsumer = undefined;
      }
    }
  } finally {
    abandoned = true;
    wakeReader?.();
  }
}
