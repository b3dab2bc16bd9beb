import { toBoxRunError } from "@boxrun/contract";
import type { Engines } from "../engines.ts";
import type { ImageManager } from "../images/image-manager.ts";
import type { Adoption } from "../ports/engine.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord } from "../ports/store.ts";
import { specOf } from "./spec.ts";

interface Parts {
  readonly engine: Engines;
  readonly images: ImageManager;
  readonly logger: Logger;
}

/** What has become of a box's VM. Throws only for a box that was never created. */
export async function adoptBox(
  box: BoxRecord,
  { engine, images, logger }: Parts,
  signal: AbortSignal,
): Promise<Adoption> {
  const spec = specOf(box, images);
  try {
    return await engine.adopt(spec, { signal });
  } catch (error) {
    if (!signal.aborted) logger.error({ box_id: box.id, err: error }, "box could not be taken over");
    return { state: "unreachable", why: toBoxRunError(error).message };
  }
}
