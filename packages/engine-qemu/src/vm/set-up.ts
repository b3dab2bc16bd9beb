import type { BoxSpec } from "@boxrun/core";
import type { VmDevices } from "@boxrun/guest-agent";
import type { GuestManifest } from "../guest-build/manifest.ts";
import { macOf } from "../network/mac.ts";
import { guestNetwork } from "../network/passt.ts";
import { volumeTag } from "./command-line.ts";

interface VmAbilities {
  readonly hasBulk: boolean;
  /** It can get volumes later. Default: if the box has some. */
  readonly takesVolumes?: boolean;
}

/** What a VM of ours has for a box. */
export function devicesOf(
  spec: Pick<BoxSpec, "id" | "network" | "volumes">,
  manifest: GuestManifest,
  { hasBulk, takesVolumes = spec.volumes.length > 0 }: VmAbilities,
): VmDevices {
  const modules = new Set(manifest.modules.root);
  if (spec.network) for (const path of manifest.modules.network) modules.add(path);
  if (takesVolumes) for (const path of manifest.modules.volumes) modules.add(path);
  return {
    modules: [...modules],
    root: { image: "/dev/vda", disk: "/dev/vdb" },
    ...(hasBulk && { bulk: "/dev/vdc" }),
    volumes: spec.volumes.map((volume, index) => ({
      tag: volumeTag(index),
      guest_path: volume.guestPath,
      readonly: volume.readonly,
    })),
    network: spec.network ? { ...guestNetwork, dns: [...guestNetwork.dns], mac: macOf(spec.id) } : null,
  };
}
