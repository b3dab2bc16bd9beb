import type { Environment } from "boxrun-sdk";

/** Terminals that images usually know: the entries of Debian's ncurses-base and Alpine's ncurses-terminfo-base. */
const commonTerminals = /^(ansi|dumb|linux|rxvt|(screen|tmux|xterm)(-256color)?|vt100|vt102|vt220)$/;

/** What this terminal is called in a box. Those that an image may not know (kitty, alacritty, …) understand what xterm does. */
export function terminalName(env: NodeJS.ProcessEnv = process.env): string {
  return commonTerminals.test(env.TERM ?? "") && env.TERM !== undefined ? env.TERM : "xterm-256color";
}

/** For a program in a box that draws on this terminal. */
export function terminalVariables(env: NodeJS.ProcessEnv = process.env): Environment {
  return { TERM: terminalName(env), ...(env.COLORTERM ? { COLORTERM: env.COLORTERM } : {}) };
}
