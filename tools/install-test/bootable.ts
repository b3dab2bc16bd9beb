import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../packages/host/src/run.ts";
import { Machine } from "./machine.ts";
import { pristineRoot } from "./root.ts";

/** Raise it when what is built changes. */
const builderVersion = 1;

const operation = "make a disk with systemd";

/** What a host with systemd has, and the programs that boxes need. */
const packages = [
  ...["linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "libpam-systemd", "dbus-user-session"],
  ...["openssh-server", "iproute2", "procps", "curl", "ca-certificates"],
  ...["qemu-system-x86", "e2fsprogs", "squashfs-tools", "bubblewrap", "passt", "virtiofsd", "skopeo"],
];

/** A Debian that a VM boots, with systemd and without boxrun. Its users root and tester are let in by `clientKey`. */
export interface BootableDisk {
  /** ext4; is only read. */
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly clientKey: string;
  readonly hostKey: string;
}

/** In the cache: made once, in some minutes. */
export async function bootableDisk(options: {
  readonly cacheDir: string;
  readonly suite: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}): Promise<BootableDisk> {
  const { cacheDir, suite, log, signal } = options;
  const home = join(cacheDir, "test", "install");
  const dir = join(home, `systemd-${suite}-v${builderVersion}`);
  const parts: BootableDisk = {
    disk: join(dir, "disk"),
    kernel: join(dir, "kernel"),
    initrd: join(dir, "initrd"),
    clientKey: join(dir, "client-key"),
    hostKey: join(dir, "host-key.pub"),
  };
  if (existsSync(dir)) return parts;
  const pristine = await pristineRoot(options);
  const scratch = await mkdtemp(join(home, ".build-"));
  try {
    const built = join(scratch, "built");
    await mkdir(built);
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "boxrun-test", "-f", join(built, "client-key")], {
      operation,
      signal,
    });
    log(`installing systemd, a kernel and what boxes need on Debian ${suite}`);
    await using machine = await Machine.boot(pristine, join(scratch, "root"), join(home, `apt-${suite}`));
    await installAll(machine, join(built, "client-key.pub"));
    const boot = await readdir(join(machine.root, "boot"));
    for (const [name, prefix] of [
      ["kernel", "vmlinuz-"],
      ["initrd", "initrd.img-"],
    ] as const) {
      await copyFile(
        join(machine.root, "boot", boot.find((file) => file.startsWith(prefix)) ?? prefix),
        join(built, name),
      );
    }
    await copyFile(join(machine.root, "etc/ssh/ssh_host_ed25519_key.pub"), join(built, "host-key.pub"));
    log("packing its disk");
    const disk = ["-q", "-t", "ext4", "-L", "root", "-E", "root_owner=0:0", "-d", machine.root];
    await run("mke2fs", [...disk, join(built, "disk"), "8G"], { operation, signal });
    await rename(built, dir).catch((error: unknown) => {
      // Another run may have been faster.
      if (!existsSync(dir)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return parts;
}

async function installAll(machine: Machine, authorizedKey: string): Promise<void> {
  const at = (path: string) => join(machine.root, path);
  const commands = [
    `apt-get update && apt-get install --yes --no-install-recommends ${packages.join(" ")}`,
    "useradd --create-home --shell /bin/bash tester",
    "usermod --append --groups kvm,systemd-journal tester || usermod --append --groups systemd-journal tester",
    "systemctl enable systemd-networkd ssh",
  ];
  for (const command of commands) {
    const { code, stdout, stderr } = await machine.run("root", command);
    if (code !== 0) throw new Error(`${operation}: ${command}: ${stdout}\n${stderr}`);
  }
  await writeFile(at("etc/hostname"), "host\n");
  await writeFile(at("etc/hosts"), "127.0.0.1 localhost host\n::1 localhost\n");
  await writeFile(at("etc/fstab"), "LABEL=root / ext4 defaults 0 1\n");
  await writeFile(at("etc/systemd/network/net.network"), "[Match]\nName=e*\n\n[Network]\nDHCP=ipv4\n");
  await writeFile(at("etc/resolv.conf"), "nameserver 10.0.2.3\n");
  // The journal of the boot before is looked at, too.
  await mkdir(at("var/log/journal"), { recursive: true });
  for (const [home, owner] of [
    ["root", 0],
    ["home/tester", 1000],
  ] as const) {
    await mkdir(at(`${home}/.ssh`), { mode: 0o700, recursive: true });
    await copyFile(authorizedKey, at(`${home}/.ssh/authorized_keys`));
    await run("chown", ["-R", `${owner}:${owner}`, at(`${home}/.ssh`)], { operation });
  }
}
