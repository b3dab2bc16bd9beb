import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import type { PullOptions, StoredImage } from "@boxrun/core";
import { orExplain } from "../content/explain.ts";
import type { LayoutStore } from "../content/layout-store.ts";
import { skopeoCopy } from "../skopeo/run.ts";
import { authFileOptions } from "./credentials.ts";
import { inspectLayers } from "./layer-sizes.ts";
import { PullWatch } from "./progress.ts";
import { formatReference, isLoopback, parseReference } from "./reference.ts";

/** Pulls an image with skopeo into a layout of its own and adds it to the store. Errors as ImageContent.pull promises. */
export async function pullImage(
  store: LayoutStore,
  text: string,
  options: PullOptions & { readonly idleTimeoutMs: number },
): Promise<StoredImage> {
  const reference = parseReference(text);
  const source = formatReference(reference);
  const operation = `pull ${source}`;
  await using scratch = await store.scratch.make();
  const layoutDir = join(scratch.path, "layout");
  const temporary = join(scratch.path, "tmp");
  await mkdir(temporary);
  await store.seed(layoutDir);

  const security = isLoopback(reference.registry) ? ["--src-tls-verify=false"] : [];
  const sourceOptions = [...security, ...(await authFileOptions(reference, scratch.path))];
  const idle = new AbortController();
  // The registry need not say more about an image that is here, or that it has refused.
  const inspecting = new AbortController();
  const seconds = Math.ceil(options.idleTimeoutMs / 1000);
  const silent = new BoxRunError("TIMEOUT", `${operation}: ${reference.registry} has sent nothing for ${seconds} s`);
  const run = { operation, errorCode: "IMAGE_PULL_FAILED", scratchDir: temporary } as const;
  let inspection: Promise<unknown> | undefined;
  using watch = await PullWatch.start(layoutDir, {
    idleTimeoutMs: options.idleTimeoutMs,
    onProgress: options.onProgress,
    onIdle: () => idle.abort(silent),
    inspect: () => {
      const layers = inspectLayers(
        {
          image: source,
          name: `${reference.registry}/${reference.path}`,
          options: sourceOptions.map((option) => option.replace(/^--src-/, "--")),
        },
        { ...run, signal: AbortSignal.any([options.signal, inspecting.signal]) },
      );
      inspection = layers.catch(() => undefined);
      return layers;
    },
  });
  options.onProgress({ message: `asking ${reference.registry}` });
  try {
    await skopeoCopy([...sourceOptions, `docker://${source}`, `oci:${layoutDir}:image`], {
      ...run,
      signal: AbortSignal.any([options.signal, idle.signal]),
      onLine: (line) => watch.line(line),
    });
  } finally {
    inspecting.abort();
    await inspection;
  }
  await watch.finish();
  options.onProgress({ message: "checking" });
  const { signal } = options;
  return await orExplain(() => store.add(layoutDir, signal), { signal, code: "IMAGE_PULL_FAILED", operation });
}
