import type { ITheme } from "@xterm/xterm";

const ansiNames = [
  "black",
  "red",
  "green",
  "yellow",
  "blue",
  "magenta",
  "cyan",
  "white",
  "brightBlack",
  "brightRed",
  "brightGreen",
  "brightYellow",
  "brightBlue",
  "brightMagenta",
  "brightCyan",
  "brightWhite",
] as const;

/** The page's colours, as they are just now. */
export function terminalTheme(host: HTMLElement): ITheme {
  const probe = document.createElement("span");
  host.append(probe);
  const colour = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const ansi = Object.fromEntries(ansiNames.map((name, index) => [name, colour(`ansi-${index}`)]));
  const theme = {
    ...ansi,
    background: colour("surface"),
    foreground: colour("text"),
    cursor: colour("accent"),
    cursorAccent: colour("surface"),
    selectionBackground: colour("terminal-selection"),
  };
  probe.remove();
  return theme;
}
