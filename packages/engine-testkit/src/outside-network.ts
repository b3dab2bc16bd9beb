import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import type { NetworkHooks } from "./conformance/options.ts";

/** Why this user can't set up networks of its own; `undefined` for root. */
export const noNetworks = process.getuid?.() === 0 ? undefined : "only root can make network namespaces";

/** iproute2's `ip`. */
export function ip(...args: string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** For the conformance suite, where this user can set up networks. */
export const outsideNetworkHooks: NetworkHooks | { readonly unavailable: string } =
  noNetworks === undefined
    ? {
        start: async () => {
          const outside = await openOutsideNetwork();
          return {
            reachable: { url: `http://${outside.address}:${outside.port}/`, text: outside.text },
            forbidden: [{ url: outside.metadataUrl, what: "link-local: cloud metadata" }],
            [Symbol.asyncDispose]: () => outside[Symbol.asyncDispose](),
          };
        },
      }
    : { unavailable: noNetworks };

/**
 * A machine that isn't this host: a network namespace behind a pair of virtual cards, with web servers at an address that boxes may reach
 * and at a link-local one, as clouds have their metadata service at.
 */
export interface OutsideNetwork extends AsyncDisposable {
  readonly address: string;
  /** This host's own address on that network. */
  readonly hostAddress: string;
  readonly port: number;
  readonly text: string;
  readonly metadataUrl: string;
}

const server = `
  const { createServer } = require("node:http");
  const listen = (host, port, text) => new Promise((resolve) => createServer((_, answer) => answer.end(text)).listen(port, host, resolve));
  Promise.all([listen(process.argv[1], 8080, "outside"), listen(process.argv[2], 80, "metadata")]).then(() => console.log("ready"));
`;

export async function openOutsideNetwork(): Promise<OutsideNetwork> {
  const id = process.pid % 65_536;
  const name = `bq${id}`;
  // 10.77.0.0/16 in 16384 networks of four.
  const base = (id % 16_384) * 4;
  // Not the well-known 169.254.169.254: the route to it is this host's, and another test file may have one at the same time.
  const metadataAddress = `169.254.${1 + ((id >> 8) % 254)}.${1 + (id % 254)}`;
  const address = (host: number) => `10.77.${(base + host) >> 8}.${(base + host) & 255}`;
  let child: ChildProcess | undefined;
  const close = async () => {
    if (child?.exitCode === null) {
      child.kill("SIGKILL");
      await once(child, "close");
    }
    try {
      // The pair of cards and the routes over it go with the namespace.
      ip("netns", "del", name);
    } catch {
      // It was not made.
    }
  };
  try {
    ip("netns", "add", name);
    ip("link", "add", name, "type", "veth", "peer", "name", "out", "netns", name);
    ip("addr", "add", `${address(1)}/30`, "dev", name);
    ip("link", "set", name, "up");
    ip("-n", name, "addr", "add", `${address(2)}/30`, "dev", "out");
    ip("-n", name, "link", "set", "out", "up");
    ip("-n", name, "link", "set", "lo", "up");
    ip("-n", name, "addr", "add", `${metadataAddress}/32`, "dev", "lo");
    ip("-n", name, "route", "add", "default", "via", address(1));
    ip("route", "add", `${metadataAddress}/32`, "via", address(2));
    child = spawn("ip", ["netns", "exec", name, process.execPath, "-e", server, address(2), metadataAddress], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (child.stdout === null) throw new Error("the server in the namespace has no output");
    await once(child.stdout, "data");
  } catch (error) {
    await close();
    throw error;
  }
  return {
    address: address(2),
    hostAddress: address(1),
    port: 8080,
    text: "outside",
    metadataUrl: `http://${metadataAddress}/`,
    [Symbol.asyncDispose]: close,
  };
}
