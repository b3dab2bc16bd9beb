import { baseImageReference, resolveImageAlias } from "@boxrun/contract/plain";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Image } from "boxrun-sdk";
import { client } from "./client.ts";
import { keys } from "./keys.ts";
import { type PullLayers, withProgress } from "./pull-layers.ts";

export function useImages() {
  return useQuery({ queryKey: keys.images, queryFn: ({ signal }) => client.images.list({ signal }), staleTime: 0 });
}

export interface PullOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onLayers: (layers: PullLayers) => void;
}

/** Fetches an image, layer by layer. Aborting gives the pull up. */
export async function pullImage(reference: string, { signal, onLayers }: PullOptions): Promise<Image> {
  let layers: PullLayers = new Map();
  for await (const event of client.images.pull(reference, { signal })) {
    if (event.event === "done") return event.image;
    layers = withProgress(layers, event);
    onLayers(layers);
  }
  throw new Error("A pull ends with its image or throws");
}

/** Fetches an image that is not here, so that people see it come: the server would do it in silence. */
export async function provideImage(reference: string, options: PullOptions): Promise<void> {
  const resolved = resolveImageAlias(reference);
  if (resolved === baseImageReference) return;
  const images = await client.images.list({ signal: options.signal });
  if (!images.some((one) => one.reference === resolved)) await pullImage(reference, options);
}

export function useImageActions() {
  const queries = useQueryClient();
  const onSettled = () => queries.invalidateQueries({ queryKey: keys.images });
  const remove = useMutation({ mutationFn: (reference: string) => client.images.remove(reference), onSettled });
  return { remove, refresh: onSettled };
}
