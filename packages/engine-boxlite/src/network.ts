import { readFile } from "node:fs/promises";
import { BlockList, isIPv4 } from "node:net";

/** What no box may reach, IPv4: BoxLite's network has no other. */
const forbidden = [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  // Link-local: where clouds have their metadata service.
  ["169.254.0.0", 16],
  // BoxLite 0.10.0 passes everything that is sent to this address on to the host's own loopback.
  ["192.168.127.254", 32],
] as const;

/** As `network.outbound.allowNet`: all addresses but the forbidden ones, and those of multicast and above. */
export const allowedNetworks: readonly string[] = without(
  [0, 32, 64, 96, 128, 160, 192].map((first) => ({ base: first * 2 ** 24, bits: 3 })),
  forbidden.map(([address, bits]) => ({ base: toNumber(address), bits })),
).map(({ base, bits }) => `${toText(base)}/${bits}`);

/**
 * The host's own name servers, for boxes with a network: with a list of allowed networks BoxLite's resolver answers 0.0.0.0 to every name
 * that is not on the list too (0.10.0). Those that no box can reach are left out, such as a resolver on the host's loopback.
 */
export async function nameServers(
  files: readonly string[] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"],
): Promise<readonly string[]> {
  for (const file of files) {
    const text = await readFile(file, "utf8").catch(() => "");
    const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)]
      .map((match) => match[1] ?? "")
      .filter((address) => isIPv4(address) && !unreachable.check(address));
    if (servers.length > 0) return servers.slice(0, 3);
  }
  return publicNameServers;
}

/** Where the host offers none that a box can reach. */
const publicNameServers = ["1.1.1.1", "9.9.9.9"];

const unreachable = new BlockList();
for (const [address, bits] of forbidden) unreachable.addSubnet(address, bits);

interface Network {
  readonly base: number;
  readonly bits: number;
}

function without(networks: readonly Network[], holes: readonly Network[]): readonly Network[] {
  return networks.flatMap((network) => {
    if (holes.some((hole) => contains(hole, network))) return [];
    if (!holes.some((hole) => contains(network, hole))) return [network];
    const bits = network.bits + 1;
    const half = { base: network.base + 2 ** (32 - bits), bits };
    return without([{ base: network.base, bits }, half], holes);
  });
}

function contains(outer: Network, inner: Network): boolean {
  return inner.bits >= outer.bits && inner.base >= outer.base && inner.base < outer.base + 2 ** (32 - outer.bits);
}

function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(base: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join(".");
}
