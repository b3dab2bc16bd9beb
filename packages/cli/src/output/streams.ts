import { hideLive } from "./live-area.ts";
import { jsonText } from "./text.ts";

/** Whoever read our output is gone (`| head`). */
export class BrokenPipe extends Error {}

for (const stream of [process.stdout, process.stderr]) {
  // The write's own callback tells; without a listener Node would end the process with a stack trace.
  stream.on("error", () => undefined);
}

/** Resolves once the stream has taken it, so that who writes goes no faster than who reads. Throws a BrokenPipe. */
export function write(stream: NodeJS.WriteStream, content: string | Uint8Array): Promise<void> {
  hideLive();
  return new Promise((resolve, reject) => {
    stream.write(content, (error) => {
      if (error === undefined || error === null) resolve();
      else if ("code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED")) {
        reject(new BrokenPipe("the reader of our output is gone", { cause: error }));
      } else reject(error);
    });
  });
}

export function print(text: string): Promise<void> {
  return write(process.stdout, text);
}

export function printJson(value: unknown): Promise<void> {
  return print(`${jsonText(value, process.stdout.isTTY ? 2 : undefined)}\n`);
}

/** A remark that is not the command's result. */
export function note(text: string): void {
  hideLive();
  process.stderr.write(text);
}
