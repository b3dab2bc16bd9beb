import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";

/** `sun_path` of a Unix socket's address holds 108 bytes, the last of them a NUL. */
const maxSocketPathBytes = 107;
/** BoxLite's own ids: 12 letters and digits. */
const engineIdLength = 12;

/**
 * Where things are:
 *
 *     <stateDir>/boxlite/home/               BoxLite's home: its database, images, boxes
 *     <stateDir>/boxlite/home/boxes/<id>/    a box of BoxLite's, under its id
 *     <stateDir>/boxlite/images/<id>/        an image with the agent in it, as an OCI layout
 *     <stateDir>/boxlite/boxes/<box id>/     what this engine keeps of a box
 *         box.json                           BoxLite's id, and how to find the running VM again
 */
export class Layout {
  readonly root: string;
  readonly home: string;
  readonly boxes: string;
  readonly images: string;

  /** VALIDATION_ERROR if the state directory's path leaves no room for a socket's name. */
  constructor(stateDir: string) {
    this.root = join(stateDir, "boxlite");
    this.home = join(this.root, "home");
    this.boxes = join(this.root, "boxes");
    this.images = join(this.root, "images");
    const excess = Buffer.byteLength(this.callSocket("x".repeat(engineIdLength))) - maxSocketPathBytes;
    if (excess > 0) {
      throw new BoxRunError(
        "VALIDATION_ERROR",
        `use the state directory ${stateDir}: its path is ${excess} bytes too long for the Unix sockets in it; choose a shorter one`,
      );
    }
  }

  /** The box's directory. VALIDATION_ERROR for an id that is no plain file name. */
  box(boxId: string): string {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(boxId))
      throw new BoxRunError("VALIDATION_ERROR", `the box id ${boxId} is no file name`);
    return join(this.boxes, boxId);
  }

  /** Where calls to the host's vsock port 2696 arrive: BoxLite listens there itself until the VM is up, and then nobody does. */
  callSocket(engineId: string): string {
    return join(this.engineDir(engineId), "sockets", "ready.sock");
  }

  /** How the VM's process ended. */
  exitFile(engineId: string): string {
    return join(this.engineDir(engineId), "exit");
  }

  engineDir(engineId: string): string {
    return join(this.home, "boxes", engineId);
  }
}

/** Where a box's image has the agent. The box itself finds an empty directory there. */
export const guestAgent = { dir: "/.boxrun-agent", program: "boxrun-agent" } as const;
