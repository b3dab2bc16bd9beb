/** What is edited here is no longer than this, in bytes: the page would be slow with more. */
export const maxTextBytes = 2 * 1024 * 1024;

/** The text of a file, or `undefined` for what is none. */
export async function textOf(content: Blob): Promise<string | undefined> {
  if (content.size > maxTextBytes) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await content.arrayBuffer());
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}
