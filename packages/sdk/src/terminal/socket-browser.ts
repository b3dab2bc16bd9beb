import { deferred } from "../deferred.ts";
import { ClientError } from "../errors.ts";
import type { TerminalSocket, TerminalSocketOptions } from "./socket.ts";

/** How much may wait to be sent before a write waits, in bytes, and how often that is looked at, in ms. */
const highWaterBytes = 256 * 1024;
const pollMs = 20;

/** The browser's own WebSocket. It sends the page's cookies and no headers, and reads whether or not anybody wants it. */
export async function openTerminalSocket(options: TerminalSocketOptions): Promise<TerminalSocket> {
  const { socketPath, token, events, signal } = options;
  if (socketPath !== undefined) throw new TypeError("BoxRunClient: a browser has no Unix sockets; give a baseUrl");
  if (token !== undefined) {
    throw new TypeError("BoxRunClient: a browser's WebSocket can't carry a token; log in, so that its cookie does");
  }
  signal?.throwIfAborted();
  const socket = new WebSocket(options.url.replace(/^http/, "ws"));
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", (event) => {
    const data: unknown = event.data;
    if (data instanceof ArrayBuffer) events.onBytes(new Uint8Array(data));
    else events.onText(String(data));
  });
  await opened(socket, options);
  const closed = deferred<void>();
  socket.addEventListener("close", ({ code, reason }) => {
    events.onClose(
      code === 1006 ? "the connection was cut" : `the server closed it (${code}${reason && `: ${reason}`})`,
    );
    closed.resolve();
  });
  return {
    async sendBytes(data) {
      socket.send(new Uint8Array(data));
      // There is no event for it.
      while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount > highWaterBytes) {
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    },
    sendText: (text) => socket.send(text),
    pause: () => undefined,
    resume: () => undefined,
    async close() {
      socket.close(1000);
      await closed.promise;
    },
  };
}

async function opened(socket: WebSocket, { signal, askWhy, url }: TerminalSocketOptions): Promise<void> {
  const { promise, resolve, reject } = deferred<void>();
  const giveUp = () => {
    reject(signal?.reason);
    socket.close();
  };
  // What the server said is kept from the page.
  const refused = async () => {
    const why = await askWhy().catch(() => undefined);
    reject(why ?? new ClientError("CONNECTION_FAILED", `Cannot open a WebSocket to ${url}`));
  };
  signal?.addEventListener("abort", giveUp, { once: true });
  socket.addEventListener("open", () => resolve(), { once: true });
  socket.addEventListener("error", refused, { once: true });
  try {
    await promise;
  } finally {
    signal?.removeEventListener("abort", giveUp);
    socket.removeEventListener("error", refused);
  }
}
