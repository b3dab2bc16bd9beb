import { join } from "node:path";
import { type BoxSpec, silentLogger } from "@boxrun/core";
import { defaultCacheDir } from "@boxrun/engine-qemu";
import { createImageContent } from "@boxrun/images";

/** A box for an engine without a server. */
export async function engineBoxSpec(stateDir: string, { memoryMb }: { readonly memoryMb: number }): Promise<BoxSpec> {
  const images = createImageContent({
    dir: join(stateDir, "images"),
    cacheDir: defaultCacheDir(),
    logger: silentLogger,
  });
  const { digest } = await images.builtin();
  return {
    id: "box_benchmark000",
    hostname: "bench",
    workdir: "/root",
    image: { digest, layoutDir: images.layoutDir(digest) },
    cpu: 1,
    memoryMb,
    diskSizeGb: 1,
    network: false,
    volumes: [],
  };
}
