/** Where a server is: one of the two. */
export type Address =
  | {
      /** `http://127.0.0.1:9090`, or `https://…`. In a page of the server's own: `location.origin`. */
      readonly baseUrl: string;
      readonly socketPath?: undefined;
    }
  | {
      /** The server's Unix socket; not in a browser. */
      readonly socketPath: string;
      readonly baseUrl?: undefined;
    };

/** A server that was found, with the token for it, if there is one. */
export type FoundServer = Address & { readonly token?: string | undefined };
