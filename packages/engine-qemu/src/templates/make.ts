import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { chown, mkdir, open, rm, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import { unlessAborted } from "@boxrun/core";
import { boxUser } from "../jail/box-user.ts";
import { handOverSocket } from "../jail/jail.ts";
import { type BootPlan, coldBoot } from "../vm/cold-boot.ts";
import { boxFiles } from "../vm/command-line.ts";
import { endProcesses } from "../vm/machine.ts";
import type { Qmp } from "../vm/qmp.ts";
import { templateFiles } from "./store.ts";

/** What a box's plan has besides the box. */
export type TemplatePlan = Omit<BootPlan, "boxId" | "boxDir" | "volumes" | "kept">;

/** Bytes of the empty disks that a template's VM has in place of a box's. Their drivers are loaded after the resume. */
const placeholderBytes = 1 << 20;
const saveLimitMs = 60_000;
/** For the guest to see that the host has hung up, which it tells nobody: else it would have to find out when it is resumed. */
const hangUpMs = 300;

/** Boots a VM of this shape that is nobody's box, and saves it in `dir`: its memory, and the rest of its state. Nothing runs any more when this ends. */
export async function makeTemplate(plan: TemplatePlan, dir: string, signal: AbortSignal): Promise<void> {
  const file = join(dir, templateFiles.memory);
  await using memory = await open(file, "wx+", 0o600);
  await memory.truncate(plan.shape.memoryMb * 1024 * 1024);
  const user = boxUser(dir);
  // QEMU opens its memory by a path.
  if (user !== undefined) await chown(file, user, user);
  await mkdir(join(dir, boxFiles.socketDir), { mode: 0o700 });
  for (const name of [boxFiles.image, boxFiles.disk]) await writeFile(join(dir, name), Buffer.alloc(placeholderBytes));
  const { network } = plan.shape;
  const shape = {
    ...plan.shape,
    disks: { image: boxFiles.image, disk: boxFiles.disk },
    ...(network && { network: { ...network, line: "none" as const } }),
    name: "boxrun-template",
  };
  const kept = { use: "save" as const, memory: memory.fd };
  const machine = await coldBoot({ ...plan, boxId: "template", boxDir: dir, shape, volumes: [], kept }, signal);
  try {
    machine.line.end(new BoxRunError("RUNTIME_ERROR", "the template is being saved"));
    await sleep(hangUpMs, undefined, { signal });
    await save(machine.qmp, dir, AbortSignal.any([signal, AbortSignal.timeout(saveLimitMs)]));
    await machine.qmp.execute("quit").catch(() => undefined);
  } finally {
    machine.qmp.close();
    await endProcesses(dir, [machine.qemu, ...machine.helpers]);
    for (const name of [boxFiles.image, boxFiles.disk]) await rm(join(dir, name), { force: true });
  }
  if (user !== undefined) await chown(file, 0, 0);
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
