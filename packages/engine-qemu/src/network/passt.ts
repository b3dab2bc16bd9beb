import { join } from "node:path";
import { requireTool } from "@boxrun/host";
import { type DetachedProcess, spawnDetached } from "../host/detached.ts";
import { waitUntilListening } from "../host/listening.ts";
import type { BoxCgroup } from "../host/started-in.ts";
import { boxUser } from "../jail/box-user.ts";
import { boxFiles } from "../vm/command-line.ts";

/** Every box has a network of its own, so all have the same addresses of IPv4. */
export const guestNetwork = {
  address: "10.0.2.15/24",
  gateway: "10.0.2.2",
  dns: ["10.0.2.3"],
} as const;

/**
 * Starts a box's way out: passt, which makes the guest's connections as a program on this host would, behind the host helper's
 * filter. `--no-map-gw` keeps the gateway's address from meaning the host; the filter drops what is addressed to loopback and
 * link-local services (host-helper/filter.go). The helper starts passt again when it ends, as it does on a host without a network
 * (passt.go), and asks the name servers that the host has at the time (dns.go). Both end when QEMU hangs up.
 */
export async function startNetwork(
  boxDir: string,
  hostHelper: string,
  cgroup: BoxCgroup | undefined,
  signal: AbortSignal,
): Promise<DetachedProcess> {
  const passt = requireTool("passt", "connect the box to the network");
  const [address, bits] = guestNetwork.address.split("/");
  const socket = join(boxDir, boxFiles.netSocket);
  const args = [
    ...["--ipv4-only", "--no-map-gw", "--no-dhcp"],
    ...["--address", address ?? "", "--netmask", bits ?? "", "--gateway", guestNetwork.gateway],
    ...["--dns-forward", guestNetwork.dns[0]],
    // Nothing of the host's is forwarded into the box.
    ...["--tcp-ports", "none", "--udp-ports", "none"],
  ];
  const process = await spawnDetached(
    hostHelper,
    ["net", String(boxUser(boxDir) ?? -1), socket, guestNetwork.address, guestNetwork.dns[0], passt, ...args],
    boxDir,
    { cgroup },
  );
  await waitUntilListening("the box's network", socket, process, signal);
  return process;
}
