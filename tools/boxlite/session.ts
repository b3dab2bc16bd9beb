import { buildGuest } from "@boxrun/engine-qemu";
import { buildBaseImage } from "@boxrun/images";
import { outerImage } from "./image/build.ts";
import { bootOuterVm, type RunningVm } from "./vm/boot.ts";

/**
 * One CPU: QEMU emulates each on a thread of its own, and with two of them boxes die, hang and compute nonsense after a minute of work (7.2 and
 * 10.0; with one CPU and QEMU 10.0 they don't). 4 GB: its file systems are in memory, too, and boxes have theirs.
 */
export const defaultSize = { cpus: 1, memoryMb: 4096 };

/** BoxLite gives a box 30 s to boot. One takes 7 to 20 s here when it has the CPU alone, and three at once were seen to take more than 60. */
export const defaultSlowdown = 4;

export interface SessionOptions {
  readonly checkout: string;
  readonly cacheDir: string;
  readonly size?: { readonly cpus: number; readonly memoryMb: number };
  readonly slowdown?: number;
  /** Leave the VM running when this process ends. */
  readonly keep?: boolean;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Builds what the checkout's boxes need, if its sources have changed: base image and agent. Takes a moment when they have not. */
export async function buildBoxParts({ cacheDir, log }: SessionOptions): Promise<void> {
  const changes = (line: string) => line.includes("up to date") || log(line);
  await buildGuest({ cacheDir, log: changes });
  await buildBaseImage({ cacheDir, log: changes });
}

/** A booted outer VM, built first if the cache doesn't have it. End it with `endVm`. */
export async function startOuterVm(options: SessionOptions): Promise<RunningVm> {
  const { checkout, cacheDir, size = defaultSize, slowdown = defaultSlowdown, keep = false, log, signal } = options;
  const image = await outerImage({ cacheDir, log, signal });
  return bootOuterVm({ image, checkout, cacheDir, ...size, slowdown, keep, log, signal });
}
