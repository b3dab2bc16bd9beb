import type { OutputRing } from "./ring.ts";
import type { TerminalModes } from "./screen-scan.ts";

/** RIS: everything as after switching the terminal on. */
const hardReset = "\x1bc";
/** Attributes off, all of the screen scrolls, cursor home, screen empty: what a terminal in use can be asked for. */
const clearScreen = "\x1b[m\x1b[r\x1b[H\x1b[2J";

/**
 * What brings a terminal that has not seen the ring's beginning to where the ring begins. `lost`: it has seen something, and then missed
 * some, so that nothing is known of it.
 */
export function replayPrologue(ring: OutputRing, lost: boolean): Uint8Array {
  return Buffer.from((lost ? hardReset : "") + modeSequences(ring.modes) + clearScreen);
}

/** Each mode as it is set or reset by the program; 66 is the keypad's (DECNKM). */
function modeSequences(modes: TerminalModes): string {
  return modes.map(([mode, isSet]) => `\x1b[?${mode}${isSet ? "h" : "l"}`).join("");
}
