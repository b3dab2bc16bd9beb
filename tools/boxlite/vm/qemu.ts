import type { OuterImage } from "../image/build.ts";

/** File names in the running VM's directory, which is QEMU's working directory. */
export const vmFiles = {
  initramfs: "initramfs",
  nodeModules: "node_modules.squashfs",
  console: "console.log",
  record: "vm.json",
  clientKey: "client-key",
  hostKey: "host-key",
  sshConfig: "ssh_config",
} as const;

export interface OuterShape {
  readonly cpus: number;
  readonly memoryMb: number;
  /** The loopback port of the host that leads to the VM's SSH server. */
  readonly sshPort: number;
  /** Of the host's time stamp counter, which an emulated CPU passes on; `undefined` if it is not known. */
  readonly tscKhz: number | undefined;
  /** How many times slower than the host's the VM's clock goes; 1 for the real time. See `kernelArgs`. */
  readonly slowdown: number;
}

/**
 * Without what a kernel makes use of if the CPU has it, and an emulated one does slowly: five levels of page tables, which are walked in both dimensions;
 * `rep movsb`, fast by promise, but each byte is emulated; and guards of the user's memory (smap, smep, umip), two instructions more around each copy
 * that end a block of translated code. Without the first three a box boots in 6.6 to 9 s instead of 10 to 14; without the guards Node.js starts in 0.38 s
 * instead of 0.54.
 */
const cpu = "max,+svm,-la57,-erms,-fsrm,-smap,-smep,-umip";

/**
 * QEMU's command line. `+svm` is the point of it all: QEMU emulates AMD's virtualisation, too, so that the guest has a /dev/kvm that works.
 * Disks are read-only and shared with nobody; whatever is written stays in the VM's memory.
 */
export function outerArgs(image: OuterImage, shape: OuterShape): readonly string[] {
  const disk = (file: string) => `driver=raw,read-only=on,file.driver=file,file.filename=${file.replaceAll(",", ",,")}`;
  return [
    ...["-name", "boxrun-outer-vm", "-machine", "q35", "-accel", "tcg,thread=multi,tb-size=1024"],
    ...["-cpu", cpu, "-smp", `${shape.cpus}`, "-m", `${shape.memoryMb}M`],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...["-serial", `file:${vmFiles.console}`],
    ...["-kernel", image.kernel, "-initrd", vmFiles.initramfs, "-append", kernelArgs(shape)],
    ...["-blockdev", `node-name=root,${disk(image.root)}`, "-device", "virtio-blk-pci,drive=root"],
    ...["-blockdev", `node-name=modules,${disk(vmFiles.nodeModules)}`, "-device", "virtio-blk-pci,drive=modules"],
    ...["-netdev", `user,id=net,hostfwd=tcp:127.0.0.1:${shape.sshPort}-:22`],
    ...["-device", "virtio-net-pci,netdev=net,romfile="],
    ...["-device", "virtio-rng-pci"],
  ];
}

/**
 * A kernel that takes its time stamp counter for faster than it is counts seconds that are longer. All time limits in the VM, BoxLite's fixed
 * 30 s for a box to boot among them, then suit a CPU that is as much slower.
 */
function kernelArgs(shape: OuterShape): string {
  const args = ["console=ttyS0", "quiet", "panic=-1", "cryptomgr.notests", "audit=0", "apparmor=0"];
  // Calibrating the TSC fails on a busy host, and the kernel may then wait for ever.
  if (shape.tscKhz !== undefined) args.push(`tsc_early_khz=${shape.tscKhz * shape.slowdown}`, "tsc=reliable");
  // Clearing memory that is going to be written anyway costs an emulated CPU much.
  args.push("init_on_alloc=0");
  // What mitigations guard against needs a CPU that speculates.
  args.push("no_timer_check", "mitigations=off");
  return args.join(" ");
}
