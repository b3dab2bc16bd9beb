import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { boxFiles, maxVolumes } from "../vm/command-line.ts";

/** `sun_path` of a Unix socket's address holds 108 bytes, the last of them a NUL. */
const maxSocketPathBytes = 107;
/** `box_` and 12 characters. */
const usualIdLength = 16;

/** Where the boxes' files are: `<stateDir>/vm/<boxId>/`. */
export class BoxLayout {
  readonly root: string;

  /** VALIDATION_ERROR if the state directory's path leaves no room for a socket's name. */
  constructor(stateDir: string) {
    this.root = join(stateDir, "vm");
    const excess = this.#longestSocket("x".repeat(usualIdLength)) - maxSocketPathBytes;
    if (excess > 0) {
      throw new BoxRunError(
        "VALIDATION_ERROR",
        `use the state directory ${stateDir}: its path is ${excess} bytes too long for the Unix sockets in it; choose a shorter one`,
      );
    }
  }

  /** The box's directory. VALIDATION_ERROR for an id that is no plain file name. */
  dir(boxId: string): string {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(boxId))
      throw new BoxRunError("VALIDATION_ERROR", `the box id ${boxId} is no file name`);
    if (this.#longestSocket(boxId) > maxSocketPathBytes) {
      throw new BoxRunError("VALIDATION_ERROR", `the box id ${boxId} is too long for a socket below ${this.root}`);
    }
    return join(this.root, boxId);
  }

  #longestSocket(boxId: string): number {
    return Buffer.byteLength(join(this.root, boxId, boxFiles.volumeSocket(maxVolumes)));
  }
}
