import { ToolError } from "../errors.ts";

/** A file's bytes; ToolError for one that is too large. */
export async function readWhole(
  content: AsyncIterable<Uint8Array>,
  { path, limitBytes }: { readonly path: string; readonly limitBytes: number },
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.length;
    if (bytes > limitBytes)
      throw new ToolError(
        `${path} is larger than ${limitBytes / 1024 / 1024} MiB, which is too much for this tool. Work on it in the box, with exec.`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Decodes a file that has to be text. ToolError for one that is not. */
export function textOf(path: string): { decode(chunk: Uint8Array): string; end(): string } {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const strict = (decode: () => string) => {
    try {
      const text = decode();
      if (!text.includes("\0")) return text;
    } catch {
      // As below.
    }
    throw new ToolError(
      `${path} is not text in UTF-8. Look at it with exec: \`file\`, \`xxd ${path} | head\` or \`base64 ${path}\`, for example.`,
    );
  };
  return {
    decode: (chunk) => strict(() => decoder.decode(chunk, { stream: true })),
    end: () => strict(() => decoder.decode()),
  };
}
