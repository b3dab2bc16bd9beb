import type { Image, PullProgress } from "@boxrun/contract";
import { toApiError } from "../errors.ts";
import type { Handlers } from "../register.ts";
import type { SseEvent } from "../sse.ts";
import { answerEvents, type Context, callerSignal } from "./context.ts";

type ImageHandlers = Pick<Handlers, "listImages" | "pullImage" | "importImage" | "getImage" | "removeImage">;

export function imageHandlers(context: Context): ImageHandlers {
  const { core, lifetime } = context;
  return {
    listImages: () => core.images.list(),
    pullImage: async ({ body, reply, request }) =>
      answerEvents(reply, context, (signal) =>
        pullEvents(
          (onProgress) => core.images.pull(body.reference, { signal, onProgress }),
          (error) => toApiError(error, request.id).toJSON(),
        ),
      ),
    importImage: async ({ query, body, reply }) =>
      core.images.import(body, { reference: query.reference, signal: callerSignal(reply, lifetime) }),
    getImage: ({ path }) => core.images.get(path.reference),
    removeImage: async ({ path }) => {
      await core.images.remove(path.reference);
      return { ok: true };
    },
  };
}

/** Progress as it comes, and how it ended. A reader that is slow gets the latest progress of each layer, not all of it. */
async function* pullEvents(
  pull: (onProgress: (progress: PullProgress) => void) => Promise<Image>,
  describeError: (error: unknown) => object,
): AsyncGenerator<readonly SseEvent[]> {
  const waiting = new Map<string | undefined, PullProgress>();
  let last: SseEvent | undefined;
  let news = Promise.withResolvers<void>();
  const end = (event: SseEvent) => {
    last = event;
    news.resolve();
  };
  pull((progress) => {
    waiting.set(progress.layer, progress);
    news.resolve();
  }).then(
    (image) => end({ event: "done", data: image }),
    (error: unknown) => end({ event: "error", data: describeError(error) }),
  );
  for (;;) {
    await news.promise;
    news = Promise.withResolvers();
    const progress = [...waiting.values()].map((data) => ({ event: "progress", data }));
    waiting.clear();
    if (last !== undefined) {
      yield [...progress, last];
      return;
    }
    yield progress;
  }
}
