import type { Duplex } from "node:stream";
import type { AgentAddress } from "./address.ts";
import { ConnectionLost, OtherProtocol } from "./errors.ts";

/**
 * What the agent sends first on every connection, before any HTTP/2 byte (docs/guest-protocol.md):
 *
 *  0               8          10         12                              28
 *  +---------------+----------+----------+-------------------------------+
 *  | "BOXRUN\r\n"  | version  | reserved |  boot id, 16 random bytes     |
 *  |  8 bytes      | u16 = 2  | u16 = 0  |  the same until the VM ends   |
 *  +---------------+----------+----------+-------------------------------+
 */
const greetingSize = 28;
const protocolVersion = 2;
const magic = Buffer.from("BOXRUN\r\n", "latin1");

export interface Greeting {
  readonly version: number;
  /** 32 hexadecimal digits. */
  readonly bootId: string;
}

/** `undefined` for bytes that are no greeting: those of an older connection, say. */
export function decodeGreeting(bytes: Uint8Array): Greeting | undefined {
  if (bytes.length !== greetingSize) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!buffer.subarray(0, magic.length).equals(magic)) return undefined;
  return { version: buffer.readUInt16BE(8), bootId: buffer.toString("hex", 12) };
}

export interface Greeted {
  readonly stream: Duplex;
  readonly greeting: Greeting;
}

/** Connects to the agent and waits for its greeting. Rejects with the reason, and hangs up, on anything else. */
export async function connectGreeted(address: AgentAddress, signal: AbortSignal): Promise<Greeted> {
  signal.throwIfAborted();
  const stream = await address.connect(signal);
  return await new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      cleanUp();
      stream.on("error", () => undefined);
      stream.destroy();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    const onEnd = () => fail(new ConnectionLost("the VM hung up before it greeted"));
    const onReadable = () => {
      // Exactly the greeting: what follows it is HTTP/2's.
      const bytes: Buffer | null = stream.read(greetingSize);
      if (bytes === null) return;
      const greeting = decodeGreeting(bytes);
      if (greeting === undefined) return fail(new Error("something else than the agent's greeting came"));
      if (greeting.version !== protocolVersion) {
        return fail(new OtherProtocol(`the agent speaks version ${greeting.version}, this server ${protocolVersion}`));
      }
      cleanUp();
      resolve({ stream, greeting });
    };
    const cleanUp = () => {
      signal.removeEventListener("abort", onAbort);
      stream.off("error", fail).off("end", onEnd).off("close", onEnd).off("readable", onReadable);
    };
    if (signal.aborted) return onAbort();
    if (stream.destroyed) return onEnd();
    signal.addEventListener("abort", onAbort, { once: true });
    stream.on("error", fail).on("end", onEnd).on("close", onEnd).on("readable", onReadable);
  });
}
