import { join } from "node:path";
import type { MakeImageOptions, StoredImage } from "@boxrun/core";
import { readLayout } from "../oci/read-layout.ts";
import type { Config } from "../oci/schemas.ts";
import { writeLayer } from "../oci/write-layer.ts";
import { type NewImage, writeImage } from "../oci/write-layout.ts";
import { orExplain } from "./explain.ts";
import type { LayoutStore } from "./layout-store.ts";

/** Disks are large, and most are read once or twice: fast, for a third more bytes than gzip usually makes. */
const level = 1;

/** Makes an image of a tar. Errors as ImageContent.make promises. */
export async function makeImage(
  store: LayoutStore,
  tar: AsyncIterable<unknown>,
  options: MakeImageOptions,
): Promise<StoredImage> {
  const { from, signal } = options;
  const make = async () => {
    await using scratch = await store.scratch.make();
    const layoutDir = join(scratch.path, "layout");
    const { layer, diffId } = await writeLayer(layoutDir, tar, { level, signal });
    const { config } = await readLayout(store.layoutDir(from));
    await writeImage(layoutDir, {
      layer,
      diffId,
      config: configOf(config, options),
      created: new Date(options.createdAtMs).toISOString(),
    });
    return await store.add(layoutDir, signal);
  };
  return await orExplain(make, { signal, code: "RUNTIME_ERROR", operation: "make an image" });
}

function configOf({ config }: Config, { env, workdir }: MakeImageOptions): NewImage["config"] {
  const inherited = (config?.Env ?? []).filter((variable) => !Object.hasOwn(env, variable.split("=", 1)[0] ?? ""));
  const { User, Entrypoint, Cmd } = config ?? {};
  return {
    Env: [...inherited, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
    WorkingDir: workdir,
    ...(User == null ? {} : { User }),
    ...(Entrypoint == null ? {} : { Entrypoint }),
    ...(Cmd == null ? {} : { Cmd }),
  };
}
