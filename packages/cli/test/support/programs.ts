import { once } from "node:events";
import type { TestServerOptions } from "@boxrun/server/testing";

type Programs = NonNullable<TestServerOptions["programs"]>;

const size = (terminal: { cols: number; rows: number } | null) => `${terminal?.cols}x${terminal?.rows}`;

/** Programs of memory boxes that treat their terminal as full-screen programs do. */
export const terminalPrograms: Programs = {
  /** Takes the whole screen and switches everything on; shows every key in hex and every new size. `q` ends it in good order, `x` at once. */
  editor: async ({ stdin, stdout, trap, terminal, killed }) => {
    trap("SIGWINCH", () => void stdout(`[${size(terminal())}]\r\n`));
    await stdout("\u001b[?1049h\u001b[?1000h\u001b[?1006h\u001b[?2004h\u001b[?25l\u001b[?1h\u001b=\u001b[31m");
    await stdout(`editor ${size(terminal())}\r\n`);
    for await (const keys of stdin) {
      for (const key of keys) {
        if (key === 0x78) return 7;
        if (key === 0x71) {
          await stdout("\u001b[0m\u001b>\u001b[?1l\u001b[?25h\u001b[?2004l\u001b[?1006l\u001b[?1000l\u001b[?1049l");
          return 0;
        }
        await stdout(`<${key.toString(16).padStart(2, "0")}>`);
      }
    }
    return killed.aborted ? 137 : 1;
  },
  /** As shells do at a prompt: asks the terminal where its cursor is, and says so when the answer has come. */
  asker: async ({ stdin, stdout }) => {
    await stdout("\u001b[6n");
    let heard = "";
    for await (const keys of stdin) {
      heard += Buffer.from(keys).toString();
      if (heard.startsWith("\u001b[") && heard.endsWith("R")) await stdout("\r\nanswered\r\n");
    }
    return 0;
  },
  /** Draws and reads nothing. */
  painter: async ({ stdout, terminal, killed }) => {
    await stdout(`\u001b[?1049h\u001b[?25lpainter ${size(terminal())}`);
    if (!killed.aborted) await once(killed, "abort");
    return 0;
  },
};
