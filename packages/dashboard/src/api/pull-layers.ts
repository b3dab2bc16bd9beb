import type { PullProgress } from "@boxrun/contract";

/** How far each layer of an image is, by its name. */
export type PullLayers = ReadonlyMap<string, LayerProgress>;

interface LayerProgress {
  readonly message: string;
  readonly doneBytes: number | undefined;
  readonly totalBytes: number | undefined;
}

/** What is said of no layer concerns the whole of it. */
const whole = "";

export function withProgress(
  layers: PullLayers,
  { message, layer = whole, done_bytes, total_bytes }: PullProgress,
): PullLayers {
  const before = layers.get(layer);
  return new Map(layers).set(layer, {
    message,
    doneBytes: done_bytes ?? before?.doneBytes,
    totalBytes: total_bytes ?? before?.totalBytes,
  });
}
