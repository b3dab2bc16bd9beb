import type { BoxSpec } from "@boxrun/core";
import type { MakeOptions, VmProvider } from "./provider.ts";

/** Makes a box and a VM of it, which `bring` does. If that does not work, nothing of the box is left. */
export async function bringUp<T>(
  provider: VmProvider,
  spec: BoxSpec,
  options: MakeOptions,
  bring: () => Promise<T>,
): Promise<T> {
  await provider.check(spec);
  await provider.make(spec, options);
  try {
    return await bring();
  } catch (error) {
    await provider.destroy(spec.id);
    throw error;
  }
}
