import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectGreeted, socketAddress } from "@boxrun/guest-agent";
import { type HostVerdict, keepTail, keptVerdict } from "@boxrun/host";
import type { Guest } from "./guest-build/locate.ts";
import { type Accelerator, boxFiles, qemuArgs } from "./vm/command-line.ts";

/** How long a guest may take to boot under KVM before KVM counts as unusable. A good one takes a tenth of that. */
const probeLimitMs = 5000;

export interface Verdict {
  readonly accelerator: Accelerator;
  /** For a person: why this one. */
  readonly why: string;
}

/**
 * KVM where a guest really boots with it, else TCG. `/dev/kvm` proves nothing: on some hosts a VM can be made and its guest dies.
 * So one is booted, once per host boot and QEMU installed; the verdict is kept in `<cacheDir>/probe`.
 */
export async function chooseAccelerator(options: {
  readonly qemu: string;
  readonly guest: Guest;
  readonly cacheDir: string;
}): Promise<Verdict> {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const why = missing ? "this host has no /dev/kvm" : "this user may not use /dev/kvm (join its group)";
    return { accelerator: "tcg", why: `${why}, so CPUs are emulated` };
  }
  // Stands for its version; asking the program itself would cost every start of the server a tenth of a second.
  const { mtimeMs, size, ino } = await stat(options.qemu);
  const version = `${options.qemu} ${mtimeMs} ${size} ${ino}`;
  const found = await keptVerdict({ cacheDir: options.cacheDir, name: "kvm", version }, () =>
    bootUnderKvm(options.qemu, options.guest),
  );
  return toVerdict(found);
}

function toVerdict(found: HostVerdict): Verdict {
  return found.works
    ? { accelerator: "kvm", why: found.why }
    : { accelerator: "tcg", why: `/dev/kvm is there, but ${found.why}, so CPUs are emulated` };
}

async function bootUnderKvm(qemu: string, guest: Guest): Promise<HostVerdict> {
  const dir = await mkdtemp(join(tmpdir(), "boxrun-probe-"));
  const args = qemuArgs({
    accelerator: "kvm",
    cpu: 1,
    memoryMb: 256,
    tscKhz: undefined,
    kernel: guest.kernel,
    initramfs: guest.initramfs,
    disks: undefined,
    network: undefined,
    volumes: undefined,
    name: "boxrun-probe",
  });
  await mkdir(join(dir, boxFiles.socketDir));
  // A guest that hangs would burn a CPU for ever if this process were killed now: timeout(1) outlives us and doesn't let it.
  const guard = ["--signal=KILL", `${probeLimitMs / 1000 + 5}`, qemu, ...args];
  const child = spawn("timeout", guard, { cwd: dir, detached: true, stdio: ["ignore", "ignore", "pipe"] });
  const words = keepTail(child.stderr, 2048);
  const over = new AbortController();
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  ended.then(() => over.abort());
  const began = Date.now();
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(probeLimitMs)]);
  try {
    const { stream } = await greetingOf(join(dir, boxFiles.agentSocket), signal);
    stream.destroy();
    return { works: true, why: `a guest booted with KVM in ${((Date.now() - began) / 1000).toFixed(1)} s` };
  } catch {
    // A VM that dies closes its sockets a moment before its process ends and has said why.
    await Promise.race([ended, sleep(500, undefined, { ref: false })]);
    const why = over.signal.aborted
      ? `QEMU failed with it (${words.text().replace(/\s+/g, " ").slice(0, 300) || "it said nothing"})`
      : `a guest did not boot with it in ${probeLimitMs / 1000} s`;
    return { works: false, why };
  } finally {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      try {
        // timeout(1) leads a process group of its own: QEMU goes with it.
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has just ended.
      }
    }
    await ended;
    await rm(dir, { recursive: true, force: true });
  }
}

async function greetingOf(path: string, signal: AbortSignal): ReturnType<typeof connectGreeted> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await connectGreeted(socketAddress(path), signal);
    } catch (error) {
      const pending =
        error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ECONNREFUSED");
      if (!pending) throw error;
    }
    await sleep(10);
  }
}
