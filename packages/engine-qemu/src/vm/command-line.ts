/**
 * QEMU's command line for one box. Sockets and disks are named relative to QEMU's working directory, which is the box's directory or
 * its jail's root: QEMU's option syntax gives commas a meaning, and a path of the host's may hold any character.
 */

export type Accelerator = "kvm" | "tcg";

/** File names in a box's directory. */
export const boxFiles = {
  record: "vm.json",
  disk: "disk.ext4",
  image: "image.squashfs",
  /** What is on its way into the box or out of it. */
  bulk: "bulk",
  /** What QEMU may write in, while it makes its sockets. Short, for a socket's path has 107 bytes. */
  socketDir: "s",
  agentSocket: "s/agent",
  qmpSocket: "s/qmp",
  netSocket: "s/net",
  /** Beside its socket: the host helper's (host-helper/state.go). */
  netState: "s/net.state",
  /** On which a template's state comes and goes. */
  stateSocket: "s/state",
  volumeSocket: (index: number) => `s/vol${index}`,
} as const;

/** Where a VM that an earlier BoxRun started has its sockets: in the box's directory itself. */
export const earlierSockets = { agentSocket: "agent.sock", qmpSocket: "qmp.sock" } as const;

export const volumeTag = (index: number) => `vol${index}`;

/** The virtio port's name, by which the agent finds it. */
const agentPort = "boxrun.agent";
export const consoleChardev = "console";
/** Bytes of the serial console that are kept, for error messages. */
const consoleBytes = 16_384;

/**
 * The host gets free memory back in pieces of 2 to the power of this pages, and larger ones: 128 KB. With the kernel's own 2 MB it is left with twice as much of what a box that
 * has worked uses no longer.
 */
const reportedOrder = 5;

/**
 * What QEMU may keep of translated code, where CPUs are emulated; its own default is 1 GB. A box that has just booted has 12 MB of it, one that has worked for
 * a while 70; what is too much is translated anew.
 */
const translatedCodeMb = 256;

/**
 * `erms` and `fsrm` promise that `rep movsb` is fast. Where each byte is emulated it is not, and a guest that believes it copies and clears memory by bytes instead of words: a kernel in all that it
 * does, a libc in large copies.
 */
const emulatedCpu = "max,erms=off,fsrm=off";

/** What a box's processes take of the host's memory beside the guest's, measured in boxes at work: QEMU's heap, devices and libraries, translated code, the network's. */
export const ownMemoryMb = { kvm: 48, tcg: 128 } as const;

/** A port is one PCI slot, of up to eight devices. Each costs a cold boot on an emulated CPU some 0.1 s. */
const volumePorts = 3;
const volumesPerPort = 8;
export const maxVolumes = volumePorts * volumesPerPort;

/** What a box's VM has; the guest sees them in this order. */
export const boxDisks = { image: boxFiles.image, disk: boxFiles.disk, bulk: boxFiles.bulk } as const;

export interface VmShape {
  readonly accelerator: Accelerator;
  readonly cpu: number;
  readonly memoryMb: number;
  /** Of the host's time stamp counter, which an emulated CPU passes on. */
  readonly tscKhz: number | undefined;
  readonly kernel: string;
  readonly initramfs: string;
  /** `undefined`: a VM without disks, that only boots its agent. `bulk`: the one for transfers. */
  readonly disks: Readonly<Record<keyof typeof boxDisks, string>> | undefined;
  readonly network:
    | { readonly mac: string /** `none`: the card of a template. Default: the box's own. */; readonly line?: "none" }
    | undefined;
  /** To how many it is connected, of those for which it has ports; `undefined`: it has none, and never will. */
  readonly volumes: number | undefined;
  /** Shown by ps. */
  readonly name: string;
  /** What is the guest's memory; `undefined`: memory of QEMU's own. */
  readonly memory?: Memory | undefined;
  /** QEMU waits for a template's device state, from which the VM goes on. */
  readonly incoming?: boolean;
}

/**
 * `placed`: QEMU's own, over which a template's is mapped before the guest goes on. Else a file by a path of QEMU's. `private`: what the guest writes stays QEMU's own, and the file is as it
 * was. `own`: the file is this box's and nobody else's. `written`: it becomes a template's.
 */
type Memory = { readonly use: "placed" } | { readonly use: "private" | "own" | "written"; readonly path: string };

export function qemuArgs(shape: VmShape): readonly string[] {
  // With no clock to read, Debian's kernel polls for one while it boots, twice for a second; where CPUs are emulated that is half of the boot.
  const machine = ["microvm", "acpi=on", "rtc=on", "pit=off", "pic=off", "usb=off", "isa-serial=on"];
  machine.push(`pcie=${shape.volumes === undefined ? "off" : "on"}`);
  const memory: string[] = ["-m", `${shape.memoryMb}M`];
  const backend = memoryBackend(shape);
  if (backend !== undefined) {
    memory.push("-object", `${backend.kind},id=ram,size=${shape.memoryMb}M,${backend.options}`);
    machine.push("memory-backend=ram");
  }
  return [
    ...["-name", shape.name],
    ...["-machine", machine.join(",")],
    ...acceleration(shape.accelerator),
    ...["-smp", `cpus=${shape.cpu}`],
    ...memory,
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    // A guest that ends or dies stops the VM and leaves it for us to read its last words.
    ...["-action", "reboot=shutdown,shutdown=pause,panic=pause"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...["-global", "virtio-mmio.force-legacy=false"],
    // What goes on has them in its memory, and any reset is its end: QEMU would read them for nothing.
    ...(shape.incoming === true
      ? ["-incoming", "defer"]
      : ["-kernel", shape.kernel, "-initrd", shape.initramfs, "-append", kernelArgs(shape)]),
    // A ring in QEMU's memory: what a guest prints never becomes a file.
    ...["-chardev", `ringbuf,id=${consoleChardev},size=${consoleBytes}`, "-serial", `chardev:${consoleChardev}`],
    ...["-chardev", `socket,id=qmp,path=${boxFiles.qmpSocket},server=on,wait=off`, "-mon", "chardev=qmp,mode=control"],
    ...["-device", "virtio-serial-device,id=serial,max_ports=2"],
    ...["-chardev", `socket,id=agent,path=${boxFiles.agentSocket},server=on,wait=off`],
    ...["-device", `virtserialport,bus=serial.0,nr=1,chardev=agent,name=${agentPort}`],
    ...diskArgs(shape.disks),
    ...networkArgs(shape.network),
    ...volumeArgs(shape.volumes),
    ...balloon,
  ];
}

function memoryBackend({ volumes, memory }: VmShape): { readonly kind: string; readonly options: string } | undefined {
  if (memory !== undefined) {
    // Its name is that of a template's, by which the template's state is told to whom it belongs.
    if (memory.use === "placed") return { kind: "memory-backend-ram", options: "share=off" };
    const share = memory.use === "private" ? "off" : "on";
    return { kind: "memory-backend-file", options: `mem-path=${memory.path},share=${share}` };
  }
  // virtiofsd reads and writes the guest's memory.
  return volumes === undefined ? undefined : { kind: "memory-backend-memfd", options: "share=on" };
}

function acceleration(accelerator: Accelerator): readonly string[] {
  return accelerator === "kvm"
    ? ["-accel", "kvm", "-cpu", "host"]
    : ["-accel", `tcg,thread=multi,tb-size=${translatedCodeMb}`, "-cpu", emulatedCpu];
}

function kernelArgs(shape: VmShape): string {
  const args = [
    "console=ttyS0",
    "quiet",
    // Any end of the guest is a reset, which -action makes into a stopped VM.
    "reboot=t",
    "panic=-1",
    // Self-tests and services that a box has no use for and an emulated CPU takes long over.
    "cryptomgr.notests",
    "audit=0",
    // Those that a program can put upon itself. The others are asked at each file, and have no policy that could say no.
    "lsm=landlock,yama",
    "8250.nr_uarts=1",
    `page_reporting.page_reporting_order=${reportedOrder}`,
  ];
  if (shape.accelerator === "tcg") {
    // Calibrating the TSC fails on a busy host, and without another clock the kernel then waits for ever.
    if (shape.tscKhz !== undefined) args.push(`tsc_early_khz=${shape.tscKhz}`, "tsc=reliable");
    // What they guard against needs a CPU that speculates.
    args.push("no_timer_check", "mitigations=off");
  }
  return args.join(" ");
}

/**
 * Writes go to the host's page cache: they survive the server's and QEMU's end. A full host disk is an I/O error in the guest,
 * rather than a VM that stops.
 */
function diskArgs(disks: VmShape["disks"]): readonly string[] {
  if (disks === undefined) return [];
  const errors = "werror=report,rerror=report";
  return [
    ...["-blockdev", `driver=raw,node-name=image,read-only=on,file.driver=file,file.filename=${disks.image}`],
    ...["-device", `virtio-blk-device,drive=image,${errors}`],
    ...[
      "-blockdev",
      `driver=raw,node-name=disk,discard=unmap,detect-zeroes=unmap,file.driver=file,file.filename=${disks.disk}`,
    ],
    ...["-device", `virtio-blk-device,drive=disk,discard=on,${errors}`],
    ...["-blockdev", `driver=raw,node-name=bulk,file.driver=file,file.filename=${disks.bulk}`],
    ...["-device", `virtio-blk-device,drive=bulk,${errors}`],
  ];
}

function networkArgs(network: VmShape["network"]): readonly string[] {
  if (network === undefined) return [];
  const line =
    network.line === "none"
      ? "hubport,id=net,hubid=0"
      : `stream,id=net,server=off,addr.type=unix,addr.path=${boxFiles.netSocket}`;
  return [...["-netdev", line], ...["-device", `virtio-net-device,netdev=net,mac=${network.mac}`]];
}

/**
 * Volumes themselves are put in later (attach-volumes.ts). Their ports have no power controller: the guest would switch an empty one off, and has to see at its next look what is in
 * it.
 */
function volumeArgs(volumes: number | undefined): readonly string[] {
  if (volumes === undefined) return [];
  const ports = Array.from({ length: volumePorts }, (_, index) => [
    "-device",
    `pcie-root-port,id=${portName(index)},chassis=${index + 1},slot=${index + 1},power_controller_present=off`,
  ]);
  const lines = Array.from({ length: volumes }, (_, index) => [
    "-chardev",
    `socket,id=${volumeTag(index)},path=${boxFiles.volumeSocket(index)}`,
  ]);
  return [...ports, ...lines].flat();
}

/**
 * By which the guest tells what memory is free, which QEMU then gives back to the host. It is told that what comes back is not what was there, neither zeros nor anything else: of a VM that was
 * resumed it is what the template has. A guest that depends on that does not use it.
 */
const balloon = ["-device", "virtio-balloon-device,free-page-reporting=on,page-poison=off"] as const;

function portName(index: number): string {
  return `port${index}`;
}

/** QEMU's device for a volume that it is connected to. */
export function volumeDevice(index: number) {
  const tag = volumeTag(index);
  const bus = portName(Math.floor(index / volumesPerPort));
  const addr = `0.${index % volumesPerPort}`;
  return { driver: "vhost-user-fs-pci", id: tag, chardev: tag, tag, bus, addr, multifunction: true } as const;
}
