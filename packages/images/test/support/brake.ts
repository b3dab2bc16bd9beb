import { once } from "node:events";
import { createServer, request, type ServerResponse } from "node:http";

/** A registry's layers come through it only as far as the test lets them. */
export interface Brake extends AsyncDisposable {
  /** `127.0.0.1:PORT`, the registry for who pulls. */
  readonly address: string;
  /** Lets so many bytes of a layer through, and then nothing more until `release`. */
  hold(digest: string, bytes: number): void;
  release(): void;
}

export async function startBrake(registry: string): Promise<Brake> {
  const held = new Map<string, number>();
  const released = Promise.withResolvers<void>();
  const server = createServer((incoming, answer) => {
    const onward = request(`http://${registry}${incoming.url}`, { method: incoming.method, headers: incoming.headers });
    onward.on("response", (response) => {
      answer.writeHead(response.statusCode ?? 500, response.headers);
      const digest = /\/blobs\/(sha256:[0-9a-f]+)/.exec(incoming.url ?? "")?.[1] ?? "";
      pass(response, answer, held.get(digest)).catch(() => answer.destroy());
    });
    onward.on("error", () => answer.destroy());
    incoming.pipe(onward);
  });
  const pass = async (from: AsyncIterable<Buffer>, to: ServerResponse, limit = Number.POSITIVE_INFINITY) => {
    let left = limit;
    for await (const chunk of from) {
      to.write(chunk.subarray(0, left));
      if (chunk.length > left) {
        await released.promise;
        to.write(chunk.subarray(left));
        left = Number.POSITIVE_INFINITY;
      }
      left -= chunk.length;
    }
    to.end();
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return {
    address: `127.0.0.1:${address.port}`,
    hold: (digest, bytes) => held.set(digest, bytes),
    release: () => released.resolve(),
    [Symbol.asyncDispose]: async () => {
      released.resolve();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
