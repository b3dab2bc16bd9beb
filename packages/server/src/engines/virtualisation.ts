import { accessSync, constants, existsSync } from "node:fs";

/** What this host offers to boot VMs on. Only `hvf` is more than an offer: whether a guest boots with KVM has to be tried. */
export type Virtualisation =
  | { readonly kind: "kvm" }
  | { readonly kind: "hvf"; readonly why: string }
  | { readonly kind: "none"; readonly why: string };

export function hostVirtualisation(
  platform = process.platform,
  arch = process.arch,
  device = "/dev/kvm",
): Virtualisation {
  if (platform === "darwin") {
    return arch === "arm64"
      ? { kind: "hvf", why: "Apple silicon has the hypervisor that it needs" }
      : { kind: "none", why: "on macOS it needs Apple silicon" };
  }
  if (platform !== "linux") return { kind: "none", why: `it does not run on ${platform}` };
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return { kind: "kvm" };
  } catch {
    const why = existsSync(device) ? `this user may not use ${device} (join its group)` : `this host has no ${device}`;
    return { kind: "none", why };
  }
}
