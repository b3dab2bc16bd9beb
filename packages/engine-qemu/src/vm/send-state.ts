import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { boxFiles } from "./command-line.ts";
import type { Qmp } from "./qmp.ts";

/**
 * Gives a QEMU that waits for one the state of a VM, whose memory it has already; the VM then goes on by itself. Over a socket, for in its jail QEMU can open no file
 * for it. One that is not as it should be ends QEMU.
 */
export async function sendState(qmp: Qmp, boxDir: string, state: Uint8Array, signal: AbortSignal): Promise<void> {
  const capabilities = [{ capability: "x-ignore-shared", state: true }];
  await qmp.execute("migrate-set-capabilities", { capabilities });
  await qmp.execute("migrate-incoming", { uri: `unix:${boxFiles.stateSocket}` });
  const path = join(boxDir, boxFiles.stateSocket);
  const socket = connect({ path });
  socket.on("error", () => undefined);
  try {
    const closed = once(socket, "close", { signal });
    socket.end(state);
    socket.resume();
    await closed;
  } finally {
    socket.destroy();
    await rm(path, { force: true });
  }
}
