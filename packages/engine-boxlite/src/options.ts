import { BoxRunError } from "@boxrun/contract";
import type { BoxSpec } from "@boxrun/core";
import { guestAgent } from "./layout.ts";
import { allowedNetworks } from "./network.ts";
import type { BoxOptions } from "./sdk.ts";
import { checkVolume } from "./volumes.ts";

/** What `env` must have for BoxLite 0.10.0 to start a container whose image's config has no PATH. */
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const memoryExcessMb = 16;

/**
 * A box of an image that has our agent, which is its first process. It has every capability, as root has in a VM of its own: the VM is the wall, and the
 * host enforces what is read-only.
 */
export function boxOptions(spec: BoxSpec, layoutDir: string): BoxOptions {
  return {
    rootfsPath: layoutDir,
    cpus: spec.cpu,
    // BoxLite 0.10.0 gives a VM some 36 MiB more than it is told; what a box finds is never more than was asked for.
    memoryMib: spec.memoryMb - memoryExcessMb,
    diskSizeGb: spec.diskSizeGb,
    // It outlives the server, and stays until it is removed.
    detach: true,
    autoRemove: false,
    autoStop: 0,
    autoDelete: 0,
    env: [{ key: "PATH", value: path }],
    entrypoint: [`${guestAgent.dir}/${guestAgent.program}`, "contained", guestAgent.dir],
    cmd: [],
    workingDir: "/",
    user: "0:0",
    volumes: spec.volumes.map(({ hostPath, guestPath, readonly }) => ({ hostPath, guestPath, readOnly: readonly })),
    network: {
      outbound: spec.network ? { mode: "enabled", allowNet: [...allowedNetworks] } : { mode: "disabled" },
    },
    advanced: { capabilities: { add: ["ALL"] } },
    // The VM process's seccomp filter (0.10.0) kills it when a program asks how full a volume is: statfs, which df does of all of them.
    ...(spec.volumes.length > 0 ? { security: { seccompEnabled: false } } : {}),
  };
}

/** A VM with less does not come up. */
export const leastMemoryMb = 128;

/**
 * On x86 libkrun (BoxLite 0.10.0) has interrupts for 3 shares, 2 beside a network. Elsewhere it has more than anybody wants.
 */
function maxVolumes(network: boolean): number {
  if (process.arch !== "x64") return Number.POSITIVE_INFINITY;
  return network ? 2 : 3;
}

/** Refuses early what BoxLite would refuse late, with its own words for it. NOT_SUPPORTED or RUNTIME_ERROR. */
export async function checkSpec(spec: BoxSpec): Promise<void> {
  if (spec.volumes.length > maxVolumes(spec.network)) {
    throw new BoxRunError(
      "NOT_SUPPORTED",
      `give box ${spec.id} ${spec.volumes.length} volumes: a BoxLite box on this CPU has room for ${maxVolumes(false)}, or for ` +
        `${maxVolumes(true)} beside a network; share one directory that holds the others, or use the engine qemu`,
    );
  }
  for (const volume of spec.volumes) await checkVolume(volume, spec.id);
}
