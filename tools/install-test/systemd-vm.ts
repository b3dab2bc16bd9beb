import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { locateGuest } from "../../packages/engine-qemu/src/guest-build/locate.ts";
import { measureTscKhz } from "../../packages/engine-qemu/src/host/tsc.ts";
import type { BuildOptions } from "../boxlite/image/options.ts";
import { outerQemu } from "../boxlite/image/qemu.ts";
import type { BootableDisk } from "./bootable.ts";
import type { Ended } from "./machine.ts";

/** A minute on an idle host, five on one that has ten other things to do. */
const bootDeadlineMs = 1_200_000;

/**
 * Its clock goes slower than the host's by this factor: its CPU is emulated, and time limits in it are as much longer. A guest has to boot within
 * five seconds for KVM to count as usable, and takes ten of the host's where that has nothing else to do.
 */
const slowdown = 20;

/**
 * A host with systemd and a /dev/kvm that works: a VM whose CPU QEMU emulates, with AMD's virtualisation, so that any host does. It has one CPU:
 * tools/boxlite/session.ts says why. What it writes is gone with it.
 */
export class SystemdHost {
  readonly #dir: string;
  readonly #qemu: ChildProcess;

  private constructor(dir: string, qemu: ChildProcess) {
    this.#dir = dir;
    this.#qemu = qemu;
  }

  /** In the new directory `dir`; `cacheDir` has what the checkout has built for its guest. */
  static async boot(disk: BootableDisk, dir: string, { cacheDir, log, signal }: BuildOptions): Promise<SystemdHost> {
    const program = await outerQemu({ cacheDir, log, signal });
    await mkdir(dir);
    const port = await freePort();
    await writeSshConfig(disk, dir, port);
    const tscKhz = await measureTscKhz(locateGuest(cacheDir).hostHelper);
    const kernelArgs = [
      ...["root=/dev/vda", "rw", "console=ttyS0", "panic=-1", "mitigations=off", "no_timer_check", "init_on_alloc=0"],
      ...["audit=0", "kvm.tdp_mmu=N"],
      // Calibrating the TSC fails on a busy host, and the kernel may then wait for ever.
      ...(tscKhz === undefined ? [] : [`tsc_early_khz=${tscKhz * slowdown}`, "tsc=reliable"]),
    ];
    const args = [
      ...["-name", "boxrun-systemd", "-machine", "q35", "-accel", "tcg,tb-size=1024"],
      ...["-cpu", "max,+svm,-la57,-erms,-fsrm,-smap,-smep,-umip", "-smp", "1", "-m", "3072M"],
      ...["-nodefaults", "-no-user-config", "-display", "none", "-serial", "file:console.log"],
      ...["-monitor", "unix:monitor.sock,server=on,wait=off"],
      ...["-kernel", disk.kernel, "-initrd", disk.initrd, "-append", kernelArgs.join(" ")],
      ...["-drive", `if=virtio,format=raw,snapshot=on,file=${disk.disk.replaceAll(",", ",,")}`],
      ...["-netdev", `user,id=net,hostfwd=tcp:127.0.0.1:${port}-:22`, "-device", "virtio-net-pci,netdev=net,romfile="],
      ...["-device", "virtio-rng-pci"],
    ];
    // Even if this process is killed: the kernel then kills QEMU.
    const command = ["--pdeathsig", "KILL", ...program, ...args];
    const qemu = spawn("setpriv", command, { cwd: dir, stdio: ["ignore", "ignore", "inherit"] });
    await once(qemu, "spawn");
    const host = new SystemdHost(dir, qemu);
    try {
      await host.#untilUp("");
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** As somebody who has logged in by SSH; `input` is what the command reads. */
  async run(user: "root" | "tester", command: string, input = ""): Promise<Ended> {
    const child = spawn("ssh", ["-F", join(this.#dir, "ssh_config"), "-l", user, "host", command], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    // A command that ends early closes its input: its exit code says the rest.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code, stdout, stderr };
  }

  /** Puts a file of this host's there, readable for everybody. */
  async put(file: string, target: string): Promise<void> {
    const child = spawn("ssh", ["-F", join(this.#dir, "ssh_config"), "-l", "root", "host", `cat >${target}`], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(await readFile(file));
    const [code] = await once(child, "close");
    if (code !== 0) throw new Error(`put ${file}: ssh ended with ${code}`);
  }

  /** As its administrator does it; resolves when it is up again. */
  async reboot(): Promise<void> {
    const before = await this.#bootId();
    await this.run("root", "systemctl reboot");
    await this.#untilUp(before);
  }

  async #bootId(): Promise<string> {
    const { code, stdout } = await this.run(
      "root",
      "systemctl is-system-running --wait >&2; cat /proc/sys/kernel/random/boot_id",
    );
    return code === 0 ? stdout.trim() : "";
  }

  /** Until it is another boot than this one and all is started that starts with the host. */
  async #untilUp(before: string): Promise<void> {
    const deadline = performance.now() + bootDeadlineMs;
    for (;;) {
      const id = await this.#bootId();
      if (id !== "" && id !== before) return;
      if (this.#qemu.exitCode !== null)
        throw new Error(`QEMU ended with ${this.#qemu.exitCode}\n${await this.#console()}`);
      if (performance.now() > deadline) throw new Error(`the VM is not up\n${await this.#console()}`);
      await delay(500);
    }
  }

  async #console(): Promise<string> {
    const all = await readFile(join(this.#dir, "console.log"), "utf8").catch(() => "");
    return all.slice(-3000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#qemu.exitCode !== null || this.#qemu.signalCode !== null) return;
    const ended = once(this.#qemu, "exit");
    this.#qemu.kill("SIGKILL");
    await ended;
  }
}

async function writeSshConfig(disk: BootableDisk, dir: string, port: number): Promise<void> {
  const [type, key] = (await readFile(disk.hostKey, "utf8")).split(" ");
  await writeFile(join(dir, "known_hosts"), `[127.0.0.1]:${port} ${type} ${key}\n`);
  const lines = [
    ...["Host host", "  HostName 127.0.0.1", `  Port ${port}`, `  IdentityFile "${disk.clientKey}"`],
    ...["  IdentitiesOnly yes", `  UserKnownHostsFile "${join(dir, "known_hosts")}"`, "  StrictHostKeyChecking yes"],
    ...["  LogLevel ERROR", "  ConnectTimeout 60", "  ServerAliveInterval 30", "  ServerAliveCountMax 20"],
  ];
  await writeFile(join(dir, "ssh_config"), `${lines.join("\n")}\n`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}
