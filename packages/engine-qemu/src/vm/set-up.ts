import { randomBytes } from "node:crypto";
import type { BoxSpec } from "@boxrun/core";
import { type AgentLine, type SetupMessage, setUpVm } from "@boxrun/guest-agent";
import type { GuestManifest } from "../guest-build/manifest.ts";
import { guestNetwork } from "../network/passt.ts";
import { volumeTag } from "./command-line.ts";

/**
 * Makes a VM whose agent has greeted into this box: sets its clock, seeds its random generator, loads the drivers, mounts image, disk
 * and volumes. Nothing before this call is the box's own.
 */
export async function setUpBox(line: AgentLine, spec: BoxSpec, manifest: GuestManifest): Promise<void> {
  const modules = new Set(manifest.modules.root);
  if (spec.network) for (const path of manifest.modules.network) modules.add(path);
  if (spec.volumes.length > 0) for (const path of manifest.modules.volumes) modules.add(path);
  const body: SetupMessage = {
    hostname: spec.hostname,
    unix_ns: (BigInt(Date.now()) * 1_000_000n).toString(),
    entropy: randomBytes(64).toString("base64"),
    modules: [...modules],
    root: { image: "/dev/vda", disk: "/dev/vdb" },
    volumes: spec.volumes.map((volume, index) => ({
      tag: volumeTag(index),
      guest_path: volume.guestPath,
      readonly: volume.readonly,
    })),
    network: spec.network ? { ...guestNetwork, dns: [...guestNetwork.dns] } : null,
    workdir: spec.workdir,
  };
  await setUpVm(line, spec.id, body);
}
