import type { ByteString } from "../bytes.ts";

export type PaxRecords = ReadonlyMap<string, ByteString>;

/** The content of a PAX header: records of `LENGTH KEY=VALUE\n`, where the length counts itself. Keys and values are bytes. */
export function decodePax(content: Buffer): PaxRecords {
  const records = new Map<string, ByteString>();
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const digits = space === -1 ? "" : content.toString("latin1", at, space);
    const end = at + (/^[1-9]\d{0,8}$/.test(digits) ? Number(digits) : 0);
    const equals = content.indexOf(0x3d, space);
    if (end === at || end > content.length || content[end - 1] !== 0x0a || equals === -1 || equals >= end) {
      throw new Error("a PAX record is malformed");
    }
    records.set(content.toString("latin1", space + 1, equals), content.toString("latin1", equals + 1, end - 1));
    at = end;
  }
  return records;
}

export function encodePax(records: PaxRecords): Buffer {
  const lines = Array.from(records, ([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    return `${length}${rest}`;
  });
  return Buffer.from(lines.join(""), "latin1");
}

const nsPerSecond = 1_000_000_000n;
/** Seconds with up to nine decimals; what is beyond the years that file systems know is none. */
const timePattern = /^(-?)(\d{1,12})(?:\.(\d*))?$/;

export function decodeTime(value: string): bigint | undefined {
  const [, sign, seconds, decimals = ""] = timePattern.exec(value) ?? [];
  if (seconds === undefined) return undefined;
  const ns = BigInt(seconds) * nsPerSecond + BigInt(decimals.slice(0, 9).padEnd(9, "0"));
  return sign === "-" ? -ns : ns;
}

export function encodeTime(ns: bigint): string {
  const absolute = ns < 0n ? -ns : ns;
  const decimals = String(absolute % nsPerSecond).padStart(9, "0");
  return `${ns < 0n ? "-" : ""}${absolute / nsPerSecond}.${decimals}`;
}

/** A record that is a whole number from 0 to `most`. */
export function decodeNumber(value: string, most: number): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number <= most)) throw new Error("a number in a PAX record is malformed");
  return number;
}
