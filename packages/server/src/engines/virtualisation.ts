import { accessSync, constants, existsSync } from "node:fs";

/** What this host offers to boot VMs on. No more than an offer: whether a guest boots with KVM has to be tried. */
export type Virtualisation = { readonly kind: "kvm" } | { readonly kind: "none"; readonly why: string };

export function hostVirtualisation(platform = process.platform, device = "/dev/kvm"): Virtualisation {
  // BoxLite has a build for macOS; what follows its VMs' processes reads Linux's /proc.
  if (platform !== "linux") return { kind: "none", why: `so far it runs on Linux, and this is ${platform}` };
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return { kind: "kvm" };
  } catch {
    const why = existsSync(device) ? `this user may not use ${device} (join its group)` : `this host has no ${device}`;
    return { kind: "none", why };
  }
}
