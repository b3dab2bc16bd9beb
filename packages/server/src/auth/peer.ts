import { readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { endianness } from "node:os";

/** One TCP connection, seen from the server. */
export interface ConnectionEnds {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/**
 * The user that owns the other end of a connection on this host, as the kernel tells on Linux; `undefined` where nobody can tell: another
 * system, another host, or a caller that has closed its end.
 */
export async function peerUid(ends: ConnectionEnds): Promise<number | undefined> {
  if (process.platform !== "linux") return undefined;
  for (const [path, entryEnds] of candidates(ends)) {
    const table = await readFile(path, "latin1").catch(() => "");
    const uid = findOwner(table, entryEnds);
    if (uid !== undefined) return uid;
  }
  return undefined;
}

/** What /proc/net/tcp calls the two ends, from the caller's side: its address is the local one. */
interface EntryEnds {
  readonly local: string;
  readonly remote: string;
}

/** States in which an entry is a connection to us: ESTABLISHED, and FIN_WAIT of a caller that has said all. Not one that begins (SYN_SENT). */
const connectedStates = new Set(["01", "04", "05"]);

/**
 * Reads one of the kernel's tables. Entries without an inode are skipped: once a process has closed its socket the kernel may show
 * uid 0 for what is left of it, and anybody could pass for root by closing early.
 */
export function findOwner(table: string, ends: EntryEnds): number | undefined {
  for (const line of table.split("\n")) {
    if (!line.includes(ends.local)) continue;
    const [, local, remote, state, , , , uid, , inode] = line.trim().split(/\s+/);
    if (local !== ends.local || remote !== ends.remote) continue;
    if (state === undefined || !connectedStates.has(state) || inode === "0" || inode === undefined) continue;
    return Number(uid);
  }
  return undefined;
}

/** Where the caller's end may stand: one that speaks IPv4 through an IPv6 socket is in the other table. */
function candidates(ends: ConnectionEnds): (readonly [string, EntryEnds])[] {
  const local = stripMapping(ends.remoteAddress);
  const remote = stripMapping(ends.localAddress);
  const write = (address: string) => ({
    local: entryEnd(local, ends.remotePort, address),
    remote: entryEnd(remote, ends.localPort, address),
  });
  const asV6 = ["/proc/net/tcp6", write("v6")] as const;
  return isIPv4(local) ? [["/proc/net/tcp", write("v4")] as const, asV6] : [asV6];
}

function stripMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

/** `127.0.0.1`, 9090 → `0100007F:2382`: 32-bit words in the host's byte order. */
export function entryEnd(address: string, port: number, version: string): string {
  const bytes = version === "v4" ? v4Bytes(address) : v6Bytes(address);
  const words: string[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes.slice(at, at + 4);
    if (endianness() === "LE") word.reverse();
    words.push(...word.map((byte) => byte.toString(16).padStart(2, "0")));
  }
  return `${words.join("")}:${port.toString(16).padStart(4, "0")}`.toUpperCase();
}

function v4Bytes(address: string): number[] {
  return address.split(".").map(Number);
}

function v6Bytes(address: string): number[] {
  if (isIPv4(address)) return [...Array<number>(10).fill(0), 255, 255, ...v4Bytes(address)];
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [first, last] = [groups(head), groups(tail ?? "")];
  const middle = tail === undefined ? [] : Array<string>(8 - first.length - last.length).fill("0");
  return [...first, ...middle, ...last].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}
