import { BoxRunError } from "@boxrun/contract";

/** The `Host` and `Origin` of a request, against what the server goes by. */
export interface OriginCheck {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Names and addresses of the server, lower case, IPv6 in brackets; `null` where no name is wrong (a Unix socket). */
  readonly names: ReadonlySet<string> | null;
  /** Hosts, with their ports, whose pages are the server's own although a proxy may have changed `Host`. */
  readonly pages: readonly string[];
}

/**
 * FORBIDDEN for what only a web page does: calling the server under a name that is not its own (DNS rebinding), or from a page of another
 * origin. Ports in `Host` are not compared, because a forwarded port is fine; an `Origin` must be the `Host`, port and all.
 */
export function requireOwnOrigin({ host, origin, names, pages }: OriginCheck): void {
  if (names !== null && !names.has(hostName(host ?? ""))) {
    throw new BoxRunError(
      "FORBIDDEN",
      `The Host header ${JSON.stringify(host ?? "")} is not a name of this server; it answers to ${[...names].join(", ")}; behind a proxy, BOXRUN_ALLOWED_HOSTS adds names`,
    );
  }
  if (origin !== undefined && ![host, ...pages].some((page) => isOrigin(origin, page))) {
    throw new BoxRunError("FORBIDDEN", `A page of ${JSON.stringify(origin)} may not call this server`);
  }
}

function isOrigin(origin: string, host: string | undefined): boolean {
  return host !== undefined && [`http://${host}`, `https://${host}`].includes(origin.toLowerCase());
}

/** `LOCALHOST:9090` → `localhost`, `[::1]:9090` → `[::1]`; empty for what is no host. */
export function hostName(host: string): string {
  return host.toLowerCase().match(/^(\[[0-9a-f:.]+\]|[^:[\]/@]+)(?::\d{1,5})?$/)?.[1] ?? "";
}
