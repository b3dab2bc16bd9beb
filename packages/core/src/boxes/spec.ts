import { BoxRunError } from "@boxrun/contract";
import type { ImageManager } from "../images/image-manager.ts";
import type { BoxSpec } from "../ports/engine.ts";
import type { BoxRecord } from "../ports/store.ts";
import { boxSpec } from "../views.ts";

/** What its engine needs to know of a box that was created. RUNTIME_ERROR for one that was not. */
export function specOf(box: BoxRecord, images: ImageManager): BoxSpec {
  if (box.imageDigest === null || box.startedAtMs === null) {
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `Box ${box.name ?? box.id} was never created: ${box.errorMessage ?? "its creation did not finish"}. Remove it and create it again`,
    );
  }
  return boxSpec(box, box.imageDigest, images.layoutDir(box.imageDigest));
}
