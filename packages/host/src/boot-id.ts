import { readFileSync } from "node:fs";

/** Changes whenever the host boots: what was learnt about processes and hardware before means nothing afterwards. */
export function hostBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
