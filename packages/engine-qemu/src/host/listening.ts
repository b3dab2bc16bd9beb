import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import type { DetachedProcess } from "./detached.ts";

/** Flag __SO_ACCEPTCON in /proc/net/unix: the socket listens. */
const acceptsConnections = 0x10000;

/**
 * Waits until a helper listens on its socket. Trying to connect would do as well, were it not that each of them takes one
 * client only. RUNTIME_ERROR with the helper's last words if it ends instead.
 */
export async function waitUntilListening(
  name: string,
  path: string,
  process: DetachedProcess,
  signal: AbortSignal,
): Promise<void> {
  let end: string | undefined;
  process.ended.then((how) => {
    end = how;
  });
  const deadline = Date.now() + 15_000;
  while (!isListening(path)) {
    signal.throwIfAborted();
    if (end !== undefined) throw new BoxRunError("RUNTIME_ERROR", `start ${name}: it ${end}`);
    if (Date.now() > deadline) throw new BoxRunError("RUNTIME_ERROR", `start ${name}: it does not listen on ${path}`);
    await sleep(5);
  }
}

/** Lines: address, reference count, protocol, flags, type, state, inode, path. */
function isListening(path: string): boolean {
  return readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .some((line) => {
      if (!line.endsWith(` ${path}`)) return false;
      return (Number.parseInt(line.split(/\s+/)[3] ?? "", 16) & acceptsConnections) !== 0;
    });
}
