import { lstatSync } from "node:fs";
import { join } from "node:path";

/** The host's own BoxRun: a service of systemd's that starts with it, and that every user may call by its port. */
export const hostService = {
  unitName: "boxrun.service",
  target: "multi-user.target",
  /** Its port, unless its settings have another. */
  port: 9090,
} as const;

/** Whether there is one that starts with this host, by the link that `systemctl enable` makes. `etc`: for tests. */
export function hasHostService(etc = "/etc"): boolean {
  const link = join(etc, "systemd/system", `${hostService.target}.wants`, hostService.unitName);
  return lstatSync(link, { throwIfNoEntry: false }) !== undefined;
}
