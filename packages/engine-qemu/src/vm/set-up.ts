import type { BoxSpec } from "@boxrun/core";
import type { VmDevices } from "@boxrun/guest-agent";
import type { GuestManifest } from "../guest-build/manifest.ts";
import { macOf } from "../network/mac.ts";
import { guestNetwork } from "../network/passt.ts";
import { volumeTag } from "./command-line.ts";

/** What a VM of ours has for a box. `takesVolumes`: it can get some later. */
export function devicesOf(
  spec: Pick<BoxSpec, "id" | "network" | "volumes">,
  manifest: GuestManifest,
  takesVolumes = spec.volumes.length > 0,
): VmDevices {
  const modules = new Set(manifest.modules.root);
  if (spec.network) for (const path of manifest.modules.network) modules.add(path);
  if (takesVolumes) for (const path of manifest.modules.volumes) modules.add(path);
  return {
    modules: [...modules],
    root: { image: "/dev/vda", disk: "/dev/vdb" },
    bulk: "/dev/vdc",
    volumes: spec.volumes.map((volume, index) => ({
      tag: volumeTag(index),
      guest_path: volume.guestPath,
      readonly: volume.readonly,
    })),
    network: spec.network ? { ...guestNetwork, dns: [...guestNetwork.dns], mac: macOf(spec.id) } : null,
  };
}
