import { baseImageReference, resolveImageAlias } from "@boxrun/contract/plain";
import type { BoxRunClient } from "boxrun-sdk";
import type { Call } from "./tool.ts";

/** Fetches an image that the server does not have, so that the wait for it is told. IMAGE_PULL_FAILED. */
export async function provideImage(
  client: BoxRunClient,
  image: string,
  { signal, progress }: Pick<Call, "signal" | "progress">,
): Promise<void> {
  const reference = resolveImageAlias(image);
  if (reference === baseImageReference) return;
  const images = await client.images.list({ signal });
  if (images.some((one) => one.reference === reference)) return;
  progress(`Downloading the image ${reference}`);
  for await (const event of client.images.pull(image, { signal })) {
    if (event.event === "progress") progress(`Downloading the image ${reference}: ${event.message}`);
  }
}
