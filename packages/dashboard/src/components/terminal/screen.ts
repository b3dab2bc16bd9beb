import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { openStyled } from "./styled-document.ts";
import { terminalTheme } from "./theme.ts";

/** A terminal on the page. What programs in a box write to it reaches nothing but its cells. */
export interface Screen extends Disposable {
  readonly terminal: Terminal;
  readonly search: SearchAddon;
  readonly size: { readonly cols: number; readonly rows: number };
}

export interface ScreenOptions {
  /** Somebody wants to follow a link; `text` is what the box calls it. */
  readonly onLink: (target: string, text: string) => void;
  readonly onResize: (size: { readonly cols: number; readonly rows: number }) => void;
}

const httpOnly = /^https?:\/\//i;

export function openScreen(host: HTMLElement, { onLink, onResize }: ScreenOptions): Screen {
  const terminal = new Terminal({
    allowProposedApi: true,
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
    fontSize: 13,
    lineHeight: 1.2,
    scrollback: 10_000,
    cursorBlink: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
    minimumContrastRatio: 4.5,
    screenReaderMode: false,
    theme: terminalTheme(host),
    // Links that a program names otherwise than they go (OSC 8).
    linkHandler: {
      allowNonHttpProtocols: false,
      activate: (_event, target) => httpOnly.test(target) && onLink(target, "a link"),
    },
  });
  const fit = new FitAddon();
  const search = new SearchAddon();
  terminal.loadAddon(fit);
  terminal.loadAddon(search);
  terminal.loadAddon(new WebLinksAddon((_event, target) => httpOnly.test(target) && onLink(target, target)));
  openStyled((document) => {
    terminal.options.documentOverride = document;
    terminal.open(host);
  });
  fit.fit();
  terminal.onResize(onResize);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const retheme = () => {
    terminal.options.theme = terminalTheme(host);
  };
  dark.addEventListener("change", retheme);
  const observer = new ResizeObserver(() => {
    if (host.clientWidth > 0) fit.fit();
  });
  observer.observe(host);
  return {
    terminal,
    search,
    get size() {
      return { cols: terminal.cols, rows: terminal.rows };
    },
    [Symbol.dispose]() {
      observer.disconnect();
      dark.removeEventListener("change", retheme);
      terminal.dispose();
    },
  };
}
