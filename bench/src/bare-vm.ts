import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { defaultCacheDir, locateGuest } from "@boxrun/engine-qemu";
import { connectGreeted, socketAddress } from "@boxrun/guest-agent";
import { isErrno, requireTool } from "@boxrun/host";
import { measureTscKhz } from "../../packages/engine-qemu/src/host/tsc.ts";
import { templateKey } from "../../packages/engine-qemu/src/templates/key.ts";
import { TemplateStore, templateFiles } from "../../packages/engine-qemu/src/templates/store.ts";
import { boxDisks, boxFiles, qemuArgs, type VmShape } from "../../packages/engine-qemu/src/vm/command-line.ts";
import { Qmp } from "../../packages/engine-qemu/src/vm/qmp.ts";
import { sendState } from "../../packages/engine-qemu/src/vm/send-state.ts";

/** QEMU alone, without server, box and jail: what everything else is measured against. */
const qemu = () => requireTool("qemu-system-x86_64", "measure");
const limitMs = 60_000;
/** Behind the standard ones. */
const memoryFd = 3;

export async function bareShape(
  accelerator: "kvm" | "tcg",
  { cpu, memoryMb }: { readonly cpu: number; readonly memoryMb: number },
  cacheDir = defaultCacheDir(),
): Promise<VmShape> {
  const guest = locateGuest(cacheDir);
  return {
    accelerator,
    cpu,
    memoryMb,
    tscKhz: await measureTscKhz(guest.hostHelper),
    kernel: guest.kernel,
    initramfs: guest.initramfs,
    disks: undefined,
    network: undefined,
    volumes: undefined,
    name: "boxrun-bench",
  };
}

/** How long a boot takes to the agent's greeting, in ms. */
export async function bootBare(shape: VmShape): Promise<number> {
  return await timeToGreeting(shape, qemuArgs(shape));
}

/** The same of the VM that boxes had when the bars of `boot` were set: it has no clock, for which its kernel waits in vain, twice for a second and more. */
export async function bootBareWithoutClock(shape: VmShape): Promise<number> {
  const args = qemuArgs(shape).map((arg) => arg.replace(",rtc=on,", ",rtc=off,"));
  if (!args.some((arg) => arg.includes(",rtc=off,"))) throw new Error("QEMU's arguments have no rtc=on");
  return await timeToGreeting(shape, args);
}

/** How long the resume of the bare template of this shape takes to the agent's greeting, in ms. */
export async function resumeBare(shape: VmShape, cacheDir: string): Promise<number> {
  const dir = new TemplateStore(cacheDir, 0).path(await templateKey(shape, qemu()));
  const state = await readFile(join(dir, templateFiles.state));
  await using memory = await open(join(dir, templateFiles.memory));
  const resumed: VmShape = {
    ...shape,
    // A template has them, and its VM no drivers for them yet.
    disks: boxDisks,
    memory: { path: `/proc/self/fd/${memoryFd}`, use: "private" },
    incoming: true,
  };
  return await timeToGreeting(resumed, qemuArgs(resumed), { file: memory.fd, state });
}

async function timeToGreeting(
  shape: VmShape,
  args: readonly string[],
  template?: { readonly file: number; readonly state: Uint8Array },
): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "br-bare-"));
  await mkdir(join(directory, boxFiles.socketDir));
  for (const name of Object.values(shape.disks ?? {})) await writeFile(join(directory, name), Buffer.alloc(1 << 20));
  const begun = performance.now();
  const child = spawn(qemu(), [...args], {
    cwd: directory,
    stdio: ["ignore", "ignore", "ignore", ...(template === undefined ? [] : [template.file])],
  });
  const exited = once(child, "exit");
  try {
    const [agent, monitor] = [boxFiles.agentSocket, boxFiles.qmpSocket].map((name) => join(directory, name));
    if (agent === undefined || monitor === undefined) throw new Error("no sockets");
    while (!existsSync(agent)) {
      if (child.exitCode !== null) throw new Error(`QEMU ended with ${child.exitCode}`);
      await delay(2);
    }
    const signal = AbortSignal.timeout(limitMs);
    if (template !== undefined) {
      const qmp = await Qmp.connect(monitor, signal);
      await sendState(qmp, directory, template.state, signal);
      qmp.close();
    }
    const { stream } = await connectListening(agent, signal);
    const took = performance.now() - begun;
    stream.destroy();
    return took;
  } finally {
    child.kill("SIGKILL");
    await exited;
    await rm(directory, { recursive: true, force: true });
  }
}

/** A socket is there a moment before anybody listens on it. */
async function connectListening(path: string, signal: AbortSignal): ReturnType<typeof connectGreeted> {
  for (;;) {
    try {
      return await connectGreeted(socketAddress(path), signal);
    } catch (error) {
      if (!isErrno(error, "ECONNREFUSED")) throw error;
      await delay(2, undefined, { signal });
    }
  }
}
