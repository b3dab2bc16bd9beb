import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import type { DetachedProcess } from "../host/detached.ts";
import { Qmp } from "./qmp.ts";

/** QEMU makes its sockets a moment after it has started. RUNTIME_ERROR with its last words if it ends instead. */
export async function connectQmp(path: string, qemu: DetachedProcess, signal: AbortSignal): Promise<Qmp> {
  let end: string | undefined;
  qemu.ended.then((how) => {
    end = how;
  });
  for (;;) {
    signal.throwIfAborted();
    if (end !== undefined) throw new BoxRunError("RUNTIME_ERROR", `start QEMU: it ${end}`);
    if (existsSync(path)) {
      try {
        return await Qmp.connect(path);
      } catch {
        // Bound and not yet listening, or QEMU has just ended.
      }
    }
    await sleep(3);
  }
}
