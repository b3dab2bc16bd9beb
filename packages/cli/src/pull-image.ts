import type { Image, PullPolicy } from "@boxrun/contract";
import { BoxRunError, baseImageReference, resolveImageAlias } from "@boxrun/contract/plain";
import { PullState } from "./output/layers.ts";
import { showProgress } from "./output/progress.ts";
import { RateMeter } from "./output/rate.ts";
import { oneLine } from "./output/text.ts";
import type { Session } from "./session.ts";

/** Fetches an image, or what its name means by now, and shows its layers on a terminal. IMAGE_PULL_FAILED; Ctrl-C gives it up. */
export async function pullImage(session: Session, image: string): Promise<Image> {
  const { client, reporter, signal } = session;
  if (/_proxy$/im.test(Object.keys(process.env).join("\n"))) (await import("./proxy-note.ts")).noteOtherProxy(session);
  const reference = resolveImageAlias(image);
  const state = new PullState();
  const meter = new RateMeter();
  const label = `Pulling ${oneLine(reference)}`;
  using progress = showProgress(
    (canvas) => state.draw(label, meter.add(state.doneBytes, performance.now()), canvas),
    reporter,
  );
  for await (const event of client.images.pull(image, { signal })) {
    if (event.event === "progress") {
      state.take(event);
    } else {
      progress.finish(`pulled ${oneLine(reference)}:`, state.doneBytes);
      return event.image;
    }
  }
  throw new Error("a pull ends with its image or throws");
}

/**
 * Sees to it that a box can be made of an image, as `--pull` says, so that the pull is shown: the server would do it in silence.
 * IMAGE_NOT_FOUND with `never`.
 */
export async function provideImage(session: Session, image: string, policy: PullPolicy = "missing"): Promise<void> {
  const reference = resolveImageAlias(image);
  if (reference === baseImageReference) return;
  if (policy !== "always") {
    const images = await session.client.images.list({ signal: session.signal });
    if (images.some((one) => one.reference === reference)) return;
    if (policy === "never") throw new BoxRunError("IMAGE_NOT_FOUND", `Image ${reference} is not on this server`);
  }
  await pullImage(session, image);
}
