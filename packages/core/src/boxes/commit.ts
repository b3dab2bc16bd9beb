import { BoxRunError, type CommitRequest, type Environment, type Image, maskedValue } from "@boxrun/contract";
import type { Engines } from "../engines.ts";
import type { ImageManager } from "../images/image-manager.ts";
import type { Clock } from "../ports/clock.ts";
import type { BoxRecord, Store } from "../ports/store.ts";
import { requireAllowed } from "./box-lookup.ts";
import type { Resources } from "./resources.ts";
import { type BoxDisks, lookForRoom, requireFreeDisk } from "./room-check.ts";
import { specOf } from "./spec.ts";

interface Parts {
  readonly store: Store;
  readonly engine: Engines;
  readonly images: ImageManager;
  readonly resources: Resources;
  readonly boxDisks: BoxDisks;
  readonly clock: Clock;
}

/** How much of a disk is read between two looks at what the host has left, in bytes. */
const lookEveryBytes = 64 * 1024 * 1024;

/** Makes an image of a box that does not run. Under the box's turn; leaves nothing if it fails. */
export async function commitBox(
  box: BoxRecord,
  request: CommitRequest,
  { store, engine, images, resources, boxDisks, clock }: Parts,
  signal: AbortSignal,
): Promise<Image> {
  requireAllowed(box, "commit");
  await engine.requireUsable(box);
  const spec = specOf(box, images);
  const { digest: from } = spec.image;
  return await images.make(request, async (content) => {
    // About as much as it takes if little was added to the image.
    const image = store.images.list().find(({ digest }) => digest === from);
    await requireFreeDisk(boxDisks, "the image of a box", image?.sizeBytes);
    // Its disk is only read.
    resources.reserve(box.id, { ...box, diskSizeGb: 0 }, await lookForRoom({ engine, boxDisks }, resources.holders()));
    try {
      return await engine.readDisk(spec, { signal }, (tar) =>
        content.make(whileThereIsRoom(tar, boxDisks), {
          from,
          env: publicEnvironment(box),
          workdir: box.workdir,
          createdAtMs: clock.now(),
          signal,
        }),
      );
    } finally {
      resources.release(box.id);
    }
  });
}

/** What the box's create has set, but for secrets: an image is passed on. */
function publicEnvironment({ env, secretEnv }: BoxRecord): Environment {
  const isPublic = ([name, value]: [string, string]) => !secretEnv.includes(name) && maskedValue(name, value) === value;
  return Object.fromEntries(Object.entries(env ?? {}).filter(isPublic));
}

/** What comes out of a box is endless if it likes. */
async function* whileThereIsRoom(tar: AsyncIterable<unknown>, boxDisks: BoxDisks) {
  let left = lookEveryBytes;
  for await (const chunk of tar) {
    if (!Buffer.isBuffer(chunk)) throw new BoxRunError("INTERNAL_ERROR", "a disk is read as something else than bytes");
    left -= chunk.length;
    if (left < 0) {
      left = lookEveryBytes;
      await requireFreeDisk(boxDisks, "the image of a box");
    }
    yield chunk;
  }
}
