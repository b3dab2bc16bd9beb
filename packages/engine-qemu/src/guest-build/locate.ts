import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
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

/** The guest that new boxes boot. RUNTIME_ERROR with what to run if none was built. */
export function locateGuest(cacheDir: string): Guest {
  try {
    return readGuest(cacheDir, readPointer(cacheDir).key);
  } catch (error) {
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `find the guest kernel: none is built in ${guestRoot(cacheDir)}; run \`npm run setup\``,
      { cause: error },
    );
  }
}

export function readPointer(cacheDir: string): GuestPointer {
  return guestPointerSchema.parse(JSON.parse(readFileSync(join(guestRoot(cacheDir), "current.json"), "utf8")));
}

export function readGuest(cacheDir: string, key: string): Guest {
  const dir = join(guestRoot(cacheDir), key);
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
