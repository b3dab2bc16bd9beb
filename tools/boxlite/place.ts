import { totalmem } from "node:os";
import { Host } from "../../packages/engine-qemu/src/host.ts";
import { defaultSize } from "./session.ts";

/** Where BoxLite's boxes can run on this host, and for a person: how that is known. */
export type Place =
  | { readonly kind: "here"; readonly why: string }
  | { readonly kind: "outer-vm"; readonly why: string }
  /** This host never can; that is nobody's fault. */
  | { readonly kind: "nowhere"; readonly why: string };

/** The outer VM takes all of its memory in the end, and the host needs some for the rest. */
const leastMemoryMb = defaultSize.memoryMb + 2048;

/**
 * Directly where a guest really boots with KVM, which is tried (once per host boot); else in an outer VM where that fits. Call it when
 * set-up has built the guest. RUNTIME_ERROR if something is missing that could be installed.
 */
export async function findPlace(cacheDir: string): Promise<Place> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return {
      kind: "nowhere",
      why: `QEMU emulates a /dev/kvm for x64 Linux hosts; this is ${process.platform} ${process.arch}`,
    };
  }
  const { accelerator, why } = await new Host(cacheDir).accelerator();
  if (accelerator === "kvm") return { kind: "here", why };
  const memoryMb = Math.floor(totalmem() / 2 ** 20);
  if (memoryMb < leastMemoryMb) {
    return {
      kind: "nowhere",
      why: `${why}; an outer VM takes a host with ${leastMemoryMb} MB, this one has ${memoryMb}`,
    };
  }
  return { kind: "outer-vm", why };
}
