import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createServer, type Socket } from "node:net";

/** Answers one request of the host's; `path` has its query. */
export type Answer = (stream: ServerHttp2Stream, request: { readonly method: string; readonly path: string }) => void;

/** What the tests play the guest with: it speaks the protocol's outside, and says whatever a test wants inside. */
export interface FakeAgent extends AsyncDisposable {
  readonly path: string;
  /** Connections that were made so far. */
  connections(): number;
  /** Hangs up on the host. */
  hangUp(): void;
}

export const fakeBootId = "00112233445566778899aabbccddeeff";

export function greetingBytes(bootId: string = fakeBootId, version = 2): Buffer {
  const greeting = Buffer.alloc(28);
  greeting.write("BOXRUN\r\n", "latin1");
  greeting.writeUInt16BE(version, 8);
  greeting.write(bootId, 12, "hex");
  return greeting;
}

/** `greet` gives what the nth connection, from 1, begins with. */
export async function startFakeAgent(
  path: string,
  answer: Answer,
  greet: (connection: number) => Buffer = () => greetingBytes(),
): Promise<FakeAgent> {
  const http2 = createHttp2Server();
  http2.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    answer(stream, { method: String(headers[":method"]), path: String(headers[":path"]) });
  });
  http2.on("sessionError", () => undefined);
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    socket.write(greet(connections));
    http2.emit("connection", socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const hangUp = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    path,
    connections: () => connections,
    hangUp,
    async [Symbol.asyncDispose]() {
      hangUp();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function json(stream: ServerHttp2Stream, body: unknown, status = 200): void {
  stream.respond({ ":status": status, "content-type": "application/json" });
  stream.end(JSON.stringify(body));
}

/** An output frame as the agent would send it. */
export function frame(type: 1 | 2 | 3, offset: number, payload: string | Buffer): Buffer {
  const content = Buffer.from(payload);
  const header = Buffer.alloc(13);
  header.writeUInt8(type, 0);
  header.writeBigUInt64BE(BigInt(offset), 1);
  header.writeUInt32BE(content.length, 9);
  return Buffer.concat([header, content]);
}

export const exitFrame = (code = 0) => frame(3, 0, JSON.stringify({ code, reason: "exited" }));
