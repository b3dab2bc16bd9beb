import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import { unlessAborted } from "@boxrun/core";
import { handOverSocket } from "../jail/jail.ts";
import { boxFiles } from "../vm/command-line.ts";
import { endProcesses, type RunningQemu } from "../vm/machine.ts";
import type { Qmp } from "../vm/qmp.ts";
import { templateFiles } from "./store.ts";

const saveLimitMs = 60_000;
/** For the guest to see that the host has hung up, which it tells nobody: else it would have to find out when it is resumed. */
const hangUpMs = 300;

/** Hangs up on the VM's agent, saves all of the VM in `dir` that is not in the memory's file, and ends it. Nothing runs any more when this ends. */
export async function saveAndEnd(machine: RunningQemu, dir: string, signal: AbortSignal): Promise<void> {
  try {
    machine.line.end(new BoxRunError("RUNTIME_ERROR", "the template is being saved"));
    await sleep(hangUpMs, undefined, { signal });
    await save(machine.qmp, dir, AbortSignal.any([signal, AbortSignal.timeout(saveLimitMs)]));
    await machine.qmp.execute("quit").catch(() => undefined);
  } finally {
    await endMachine(machine, dir);
  }
}

export async function endMachine({ line, qmp, qemu, helpers }: RunningQemu, dir: string): Promise<void> {
  line.end(new BoxRunError("RUNTIME_ERROR", "the template's VM is ended"));
  qmp.close();
  await endProcesses(dir, [qemu, ...helpers]);
}

/** Stops the VM and writes what is not in the memory's file. */
async function save(qmp: Qmp, dir: string, signal: AbortSignal): Promise<void> {
  const capabilities = ["x-ignore-shared", "events"].map((capability) => ({ capability, state: true }));
  await qmp.execute("migrate-set-capabilities", { capabilities });
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => undefined);
  const off = qmp.onEvent(({ event, data }) => {
    if (event !== "MIGRATION") return;
    if (data.status === "completed") ended.resolve();
    if (data.status === "failed") ended.reject(new BoxRunError("RUNTIME_ERROR", "save a VM: QEMU could not write it"));
  });
  // In its jail it can start no program and open no file for it: it sends the state to us.
  const server = createServer();
  try {
    server.listen(join(dir, boxFiles.stateSocket));
    await once(server, "listening", { signal });
    await handOverSocket(dir, boxFiles.stateSocket);
    const received = once(server, "connection", { signal }).then(([socket]: Socket[]) =>
      socket === undefined
        ? undefined
        : pipeline(socket, createWriteStream(join(dir, templateFiles.state)), { signal }),
    );
    received.catch(() => undefined);
    // Not stopped before: so what is saved is a VM that runs, and one that is resumed goes on by itself.
    await qmp.execute("migrate", { uri: `unix:${boxFiles.stateSocket}` });
    await unlessAborted(Promise.all([ended.promise, received]), signal);
  } finally {
    server.close();
    off();
  }
}
