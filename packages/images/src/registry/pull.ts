import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import type { PullOptions, StoredImage } from "@boxrun/core";
import { addOrExplain } from "../content/add-image.ts";
import type { LayoutStore } from "../content/layout-store.ts";
import { skopeoCopy } from "../skopeo/run.ts";
import { authFileOptions } from "./credentials.ts";
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

  const idle = new AbortController();
  const seconds = Math.ceil(options.idleTimeoutMs / 1000);
  const silent = new BoxRunError("TIMEOUT", `${operation}: ${reference.registry} has sent nothing for ${seconds} s`);
  using watch = await PullWatch.start(layoutDir, {
    idleTimeoutMs: options.idleTimeoutMs,
    onProgress: options.onProgress,
    onIdle: () => idle.abort(silent),
  });
  options.onProgress({ message: `asking ${reference.registry}` });
  const security = isLoopback(reference.registry) ? ["--src-tls-verify=false"] : [];
  await skopeoCopy(
    [...security, ...(await authFileOptions(reference, scratch.path)), `docker://${source}`, `oci:${layoutDir}:image`],
    {
      operation,
      errorCode: "IMAGE_PULL_FAILED",
      scratchDir: temporary,
      signal: AbortSignal.any([options.signal, idle.signal]),
      onLine: (line) => watch.line(line),
    },
  );
  await watch.finish();
  options.onProgress({ message: "checking" });
  return await addOrExplain(store, layoutDir, options.signal, "IMAGE_PULL_FAILED", operation);
}
