import { z } from "zod";
import { consoleChardev } from "./command-line.ts";
import type { Qmp } from "./qmp.ts";

const lineLimit = 300;

/** The last lines that the guest printed on its serial console, for a person; "" if there are none or QEMU is gone. */
export async function lastWords(qmp: Qmp, lines = 3): Promise<string> {
  try {
    const answer = await qmp.execute("ringbuf-read", { device: consoleChardev, size: 65_536, format: "base64" });
    return tidy(Buffer.from(z.string().parse(answer), "base64").toString("utf8"), lines);
  } catch {
    return "";
  }
}

/** What comes out of a guest may hold anything: only printable text is shown, and not much of it. */
function tidy(text: string, lines: number): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
      .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "")
      .split(/\r?\n/)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
      .map((line) => line.replace(/[\u0000-\u001f\u007f-\u009f]/g, "").trim())
      // The trace that ends a panic says less than the line it began with.
      .filter((line) => line !== "" && !line.includes("---[ end Kernel panic") && !line.includes("Kernel Offset:"))
      .slice(-lines)
      .map((line) => line.slice(0, lineLimit))
      .join(" | ")
  );
}
