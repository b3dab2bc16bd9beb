import { readFileSync } from "node:fs";
import { join } from "node:path";
import { locatePart } from "@boxrun/host";
import {
  type GuestManifest,
  type GuestPointer,
  guestFiles,
  guestManifestSchema,
  guestPointerSchema,
} from "./manifest.ts";

/** A built guest on this host's disk. Paths are absolute. */
export interface Guest {
  readonly dir: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly hostHelper: string;
  readonly manifest: GuestManifest;
}

export function guestRoot(cacheDir: string): string {
  return join(cacheDir, "guest");
}

/** The guest that new boxes boot: what was built here, else what a package brought. RUNTIME_ERROR with what to do if there is none. */
export function locateGuest(cacheDir: string): Guest {
  return locatePart({
    operation: "find the guest kernel",
    folder: "guest",
    cacheDir,
    read: (root) => readGuest(root, readPointer(root).key),
  });
}

export function readPointer(root: string): GuestPointer {
  return guestPointerSchema.parse(JSON.parse(readFileSync(join(root, "current.json"), "utf8")));
}

export function readGuest(root: string, key: string): Guest {
  const dir = join(root, key);
  // Written last and renamed into place with the rest: where it is, the directory is complete.
  const manifest = guestManifestSchema.parse(JSON.parse(readFileSync(join(dir, guestFiles.manifest), "utf8")));
  return {
    dir,
    kernel: join(dir, guestFiles.kernel),
    initramfs: join(dir, guestFiles.initramfs),
    hostHelper: join(dir, guestFiles.hostHelper),
    manifest,
  };
}
