import type { OutputRing } from "./ring.ts";
import type { TerminalModes } from "./screen-scan.ts";

/**
 * Everything that a terminal which has not seen the ring needs to be where the others are. `lost`: it has seen something, and then missed
 * some, so that nothing is known of it.
 */
export function replay(ring: OutputRing, lost: boolean): Uint8Array {
  const kept = withoutQueries(Buffer.from(ring.read(ring.start, ring.end - ring.start)));
  return Buffer.concat([prologue(ring, lost), kept]);
}

/**
 * What a terminal answers as if somebody had typed it: status and cursor (DSR), what it is (DA, DECID, ENQ, XTVERSION), modes (DECRQM, DECRQSS,
 * kitty's keyboard), size (XTWINOPS), colours and clipboard (OSC … ?), capabilities (XTGETTCAP). The program has had its answers long ago: a
 * second one would end up in the shell's line.
 */
const queries = new RegExp(
  [
    "\\x05",
    "\\x1bZ",
    "\\x1b\\[\\??[0-9;]*n",
    "\\x1b\\[[>=?]?[0-9;]*c",
    "\\x1b\\[>[0-9]*q",
    "\\x1b\\[\\?u",
    "\\x1b\\[[01]?x",
    "\\x1b\\[\\??[0-9;]*\\$p",
    "\\x1b\\[(?:1[13-689]|2[01])(?:;[0-9]*)*t",
    "\\x1b\\][0-9;]*[^\\x07\\x1b]{0,64};\\?(?:\\x07|\\x1b\\\\)",
    "\\x1bP[$+]q[^\\x07\\x1b]*\\x1b\\\\",
  ].join("|"),
  "g",
);

function withoutQueries(output: Buffer): Buffer {
  // Byte for byte: all of these are ASCII, and whatever is not is left as it is.
  return Buffer.from(output.toString("latin1").replace(queries, ""), "latin1");
}

/** RIS: everything as after switching the terminal on. */
const hardReset = "\x1bc";
/** Attributes off, all of the screen scrolls, cursor home, screen empty: what a terminal in use can be asked for. */
const clearScreen = "\x1b[m\x1b[r\x1b[H\x1b[2J";

/** Brings a terminal to where the ring begins. */
function prologue(ring: OutputRing, lost: boolean): Uint8Array {
  return Buffer.from((lost ? hardReset : "") + modeSequences(ring.modes) + clearScreen);
}

/** Each mode as it is set or reset by the program; 66 is the keypad's (DECNKM). */
function modeSequences(modes: TerminalModes): string {
  return modes.map(([mode, isSet]) => `\x1b[?${mode}${isSet ? "h" : "l"}`).join("");
}
