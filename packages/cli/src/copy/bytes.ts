import { isUtf8 } from "node:buffer";
import { printable } from "../output/text.ts";

/**
 * Names of files are bytes, and need not be text. Where they are split, joined and compared they are kept as strings of one character a byte
 * (latin1): these functions are the way in and out.
 */
export type ByteString = string;

export function bytesOfText(text: string): ByteString {
  return Buffer.from(text).toString("latin1");
}

export function toBuffer(bytes: ByteString): Buffer {
  return Buffer.from(bytes, "latin1");
}

export function isText(bytes: ByteString): boolean {
  return isUtf8(toBuffer(bytes));
}

/** For people: as text where it is, and otherwise with `\xNN` for what is not ASCII. */
export function shown(bytes: ByteString): string {
  const buffer = toBuffer(bytes);
  if (isUtf8(buffer)) return printable(buffer.toString());
  return printable(bytes).replace(/[\u0080-\u00ff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
}
