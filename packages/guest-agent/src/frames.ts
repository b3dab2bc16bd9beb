import { type AgentExit, agentExitSchema, type ExecStartMessage } from "./messages.ts";
import { turns } from "./turns.ts";
import { WireViolation } from "./violation.ts";

/**
 * Frames of an exec's output, as they come from the guest, and what goes to it: the start of an exec, and acknowledgements. Integers
 * are big-endian.
 *
 *  output   0      1                 9            13                  ack   0      1                 9
 *           +------+-----------------+------------+----------------+        +------+-----------------+
 *           | type | offset u64      | length u32 | payload        |        | type | offset u64      |
 *           +------+-----------------+------------+----------------+        +------+-----------------+
 *
 *  start    0            4
 *           +------------+-------------------+
 *           | length u32 | ExecStart as JSON |
 *           +------------+-------------------+
 *
 *  type 1 stdout, 2 stderr (payload 1 to 65536 bytes), 3 exit (offset 0, payload JSON of 1 to 4096 bytes, the last frame)
 */
const headerSize = 13;
const ackSize = 9;
const maxPayload = 65_536;
const maxExitPayload = 4096;

const types = { stdout: 1, stderr: 2, exit: 3 } as const;
export type StreamName = "stdout" | "stderr";

export type Frame =
  | { readonly type: StreamName; readonly offset: number; readonly data: Uint8Array }
  | { readonly type: "exit"; readonly exit: AgentExit };

/** Splits the answer's body into frames. Rejects with a WireViolation at the first byte that isn't the protocol's. */
export async function* decodeFrames(body: AsyncIterable<Uint8Array>): AsyncGenerator<Frame, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  let ended = false;
  for await (const chunk of body) {
    if (ended) throw new WireViolation("bytes came after the exit frame");
    rest = rest.length === 0 ? view(chunk) : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= headerSize) {
      const header = decodeHeader(rest, at);
      const end = at + headerSize + header.length;
      if (rest.length < end) break;
      const frame = decodeFrame(header, rest.subarray(at + headerSize, end));
      at = end;
      ended = frame.type === "exit";
      if (ended && at < rest.length) throw new WireViolation("bytes came after the exit frame");
      // A chunk has room for thousands of frames, and its reader would not leave the event loop before the last one.
      if (!turns.take(1)) await turns.taken(1);
      yield frame;
    }
    rest = rest.subarray(at);
  }
  if (rest.length > 0) throw new WireViolation(`the output ends ${rest.length} bytes into a frame`);
}

interface Header {
  readonly type: Frame["type"];
  readonly offset: number;
  readonly length: number;
}

function decodeHeader(bytes: Buffer, at: number): Header {
  const type = typeOf(bytes.readUInt8(at));
  const offset = bytes.readBigUInt64BE(at + 1);
  const length = bytes.readUInt32BE(at + 9);
  const limit = type === "exit" ? maxExitPayload : maxPayload;
  if (length === 0 || length > limit) throw new WireViolation(`a ${type} frame of ${length} bytes, want 1 to ${limit}`);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new WireViolation(`a ${type} frame at offset ${offset}`);
  if (type === "exit" && offset !== 0n) throw new WireViolation(`an exit frame at offset ${offset}, want 0`);
  return { type, offset: Number(offset), length };
}

function typeOf(byte: number): Frame["type"] {
  switch (byte) {
    case types.stdout:
      return "stdout";
    case types.stderr:
      return "stderr";
    case types.exit:
      return "exit";
    default:
      throw new WireViolation(`a frame of unknown type ${byte}`);
  }
}

function decodeFrame(header: Header, payload: Buffer): Frame {
  if (header.type !== "exit") return { type: header.type, offset: header.offset, data: payload };
  let json: unknown;
  try {
    json = JSON.parse(payload.toString("utf8"));
  } catch {
    throw new WireViolation("an exit frame that is not JSON");
  }
  const exit = agentExitSchema.safeParse(json);
  if (!exit.success) throw new WireViolation(`an exit frame that is no exit: ${exit.error.issues[0]?.message ?? ""}`);
  return { type: "exit", exit: exit.data };
}

/** What the request that starts an exec begins with. */
export function encodeStart(start: ExecStartMessage): Buffer {
  const content = Buffer.from(JSON.stringify(start), "utf8");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}

/** "Everything of this stream before `offset` is stored for good." */
export function encodeAck(stream: StreamName, offset: number): Buffer {
  const ack = Buffer.alloc(ackSize);
  ack.writeUInt8(types[stream], 0);
  ack.writeBigUInt64BE(BigInt(offset), 1);
  return ack;
}

function view(chunk: Uint8Array): Buffer {
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
