import type { Transport, TransportOptions } from "./transport.ts";

/** The browser's own fetch. It streams answers; request bodies that are streams need HTTP/2, so pass a Blob (a File is one). */
export function openTransport({ socketPath }: TransportOptions): Transport {
  if (socketPath !== undefined) throw new TypeError("BoxRunClient: a browser has no Unix sockets; give a baseUrl");
  return {
    fetch: (url, init) => globalThis.fetch(url, init),
    close: async () => undefined,
  };
}
