import { z } from "zod";

const moduleList = z.array(z.string().regex(/^\/modules\/[a-z0-9_]+\.ko$/));

/** `manifest.json` of a built guest: what is in the directory, and what the engine has to know of it. */
export const guestManifestSchema = z.object({
  version: z.literal(1),
  /** The sha256 of everything that it was built from; also the directory's name. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  arch: z.string(),
  kernel: z.object({ package: z.string(), version: z.string(), format: z.enum(["vmlinux", "bzImage"]) }),
  /** Modules that the agent is told to load, in order. */
  modules: z.object({ root: moduleList, network: moduleList, volumes: moduleList }),
});
export type GuestManifest = z.infer<typeof guestManifestSchema>;

/** `current.json`: the guest that new boxes boot, and the inputs that it stands for. */
export const guestPointerSchema = z.object({
  version: z.literal(1),
  key: z.string().regex(/^[0-9a-f]{64}$/),
  /** The sha256 of the inputs that lie in the source tree: builder version, agent, host helper. */
  sourcesKey: z.string(),
  /** The directory below `<cacheDir>/kernel` that holds the kernel it was built with. */
  kernelDir: z.string().regex(/^[A-Za-z0-9._+~-]+$/),
});
export type GuestPointer = z.infer<typeof guestPointerSchema>;

/** File names in a built guest's directory. */
export const guestFiles = {
  kernel: "vmlinuz",
  initramfs: "initramfs",
  hostHelper: "boxrun-host",
  manifest: "manifest.json",
} as const;
