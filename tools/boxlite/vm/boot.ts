import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import { killAll, type ProcessRef } from "@boxrun/host";
import { locateGuest } from "../../../packages/engine-qemu/src/guest-build/locate.ts";
import { spawnDetached } from "../../../packages/engine-qemu/src/host/detached.ts";
import { measureTscKhz } from "../../../packages/engine-qemu/src/host/tsc.ts";
import { findProgram } from "../../../packages/images/src/skopeo/programs.ts";
import { type OuterImage, squash } from "../image/build.ts";
import { writeInitramfs } from "../image/initramfs.ts";
import { outerArgs, vmFiles } from "./qemu.ts";
import { answers, makeKeys, writeSshConfig } from "./ssh.ts";

/** A boot takes 6 s on an idle host, and 20 s on one that has other work for its cores. */
const bootDeadlineMs = 120_000;

export interface BootOptions {
  readonly image: OuterImage;
  readonly checkout: string;
  readonly cacheDir: string;
  readonly cpus: number;
  readonly memoryMb: number;
  readonly slowdown: number;
  /** A VM that is not kept ends with this process, however that ends. */
  readonly keep: boolean;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A running VM: its directory, which also has its SSH configuration, and QEMU's process. */
export interface RunningVm {
  readonly dir: string;
  readonly qemu: ProcessRef;
  /** How QEMU ended, once it has; `undefined` for a VM that an earlier command has left. */
  readonly ended?: Promise<string>;
}

/** Boots the outer VM with the checkout's node_modules; tries once more if it does not come up. RUNTIME_ERROR with its last words. */
export async function bootOuterVm(options: BootOptions): Promise<RunningVm> {
  const dir = await mkdtemp(join(tmpdir(), "boxrun-outer-vm-"));
  try {
    await makeKeys(dir, options.signal);
    const keys = { authorized: join(dir, `${vmFiles.clientKey}.pub`), host: join(dir, vmFiles.hostKey) };
    await writeInitramfs(join(dir, vmFiles.initramfs), options.image, keys);
    options.log("packing node_modules");
    await squash(join(options.checkout, "node_modules"), join(dir, vmFiles.nodeModules), options.signal);
    try {
      return await attempt(dir, options);
    } catch (error) {
      options.signal.throwIfAborted();
      options.log(`${error instanceof Error ? error.message : String(error)}; trying once more`);
      return await attempt(dir, options);
    }
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

/** Ends a VM at once (nothing in it is worth keeping) and removes its directory. */
export async function endVm({ dir, qemu }: RunningVm): Promise<void> {
  await killAll([qemu]);
  await rm(dir, { recursive: true, force: true });
}

async function attempt(dir: string, options: BootOptions): Promise<RunningVm> {
  const { image, cacheDir, cpus, memoryMb, slowdown, keep, log, signal } = options;
  const sshPort = await freePort();
  const tscKhz = await measureTscKhz(locateGuest(cacheDir).hostHelper);
  const args = [...image.qemu, ...outerArgs(image, { cpus, memoryMb, sshPort, tscKhz, slowdown })];
  const [program = "", ...rest] = keep ? args : diesWithUs(args);
  await writeFile(join(dir, vmFiles.console), "");
  log(`booting Debian with ${cpus} ${cpus === 1 ? "CPU" : "CPUs"} and ${memoryMb} MB in QEMU (TCG with SVM)`);
  const began = Date.now();
  const vm = await spawnDetached(program, rest, dir);
  let end: string | undefined;
  vm.ended.then((how) => {
    end = how;
  });
  try {
    await writeSshConfig(dir, sshPort);
    // The port takes connections long before somebody answers on them.
    while (!consoleOf(dir).includes("outer VM: ready") || !(await answers(dir, signal))) {
      signal.throwIfAborted();
      if (end !== undefined) throw failed(dir, `QEMU ${end}`);
      if (Date.now() - began > bootDeadlineMs) throw failed(dir, `it is not up after ${bootDeadlineMs / 1000} s`);
      await sleep(100);
    }
    log(`up after ${((Date.now() - began) / 1000).toFixed(1)} s`);
    return { dir, qemu: vm.ref, ended: vm.ended };
  } catch (error) {
    await killAll([vm.ref]);
    throw error;
  }
}

const operation = "boot the outer VM";

/** Even if this process is killed: the kernel then kills QEMU. */
function diesWithUs(command: readonly string[]): readonly string[] {
  const setpriv = findProgram("setpriv");
  return setpriv === undefined ? command : [setpriv, "--pdeathsig", "KILL", ...command];
}

function consoleOf(dir: string): string {
  return readFileSync(join(dir, vmFiles.console), "utf8");
}

function failed(dir: string, what: string): BoxRunError {
  const last = consoleOf(dir).trim().split("\n").slice(-5).join(" · ").replaceAll("\r", "");
  return new BoxRunError("RUNTIME_ERROR", `${operation}: ${what}; its console ends with: ${last || "nothing"}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve, reject) => server.once("listening", resolve).once("error", reject));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new BoxRunError("RUNTIME_ERROR", `${operation}: no port`);
  return address.port;
}
