import type { PackageManager } from "./package-managers.ts";

/** A program that BoxRun runs on the host. */
interface Program {
  /** What it is for: behind its name, or in brackets. */
  readonly purpose: string;
  /** Without it no box runs on QEMU. */
  readonly needed: boolean;
  /** Where it may be besides PATH. */
  readonly folders?: readonly string[];
  readonly packages: Readonly<Record<PackageManager, string>>;
  /** Where a release (`debian:12`) or a family (`rhel`) has it elsewhere; `null`: not at all. */
  readonly exceptions?: Readonly<Record<string, string | null>>;
}

const sbin = ["/usr/sbin", "/sbin"];

const everywhere = (name: string): Record<PackageManager, string> => ({
  ...{ apt: name, dnf: name, zypper: name, pacman: name, apk: name, nix: name },
});

/**
 * All of them, with the packages that have them: what `boxrun setup` installs, doctor looks for and errors name. Debian's are tried by
 * `npm test -- --install`. None of the others has been installed by a test; their names are what other projects tell their users to install there, which was
 * looked up in November 2026, and where the distribution itself says so:
 *
 *     dnf      Fedora's source package qemu: its subpackage qemu-system-x86-core has the program, without displays
 *     zypper   openSUSE's source package qemu: its subpackage qemu-x86; its squashfs has the squashfs-tools
 *     pacman   Arch's repository extra; virtiofsd is in /usr/lib
 *     apk      Alpine's main (e2fsprogs-extra has tune2fs) and community, which has to be enabled; virtiofsd is in /usr/libexec
 *     nix      attributes of nixpkgs, squashfsTools among them
 */
export const programs = {
  "qemu-system-x86_64": {
    purpose: "runs the boxes",
    needed: true,
    packages: {
      ...{ apt: "qemu-system-x86", dnf: "qemu-system-x86-core", zypper: "qemu-x86" },
      ...{ pacman: "qemu-system-x86", apk: "qemu-system-x86_64", nix: "qemu" },
    },
    // Red Hat's own QEMU is another program, without the machine type that boxes have.
    exceptions: { rhel: null },
  },
  "mkfs.ext4": { purpose: "makes their disks", needed: true, folders: sbin, packages: everywhere("e2fsprogs") },
  tune2fs: {
    purpose: "makes their disks",
    needed: true,
    folders: sbin,
    packages: { ...everywhere("e2fsprogs"), apk: "e2fsprogs-extra" },
  },
  sqfstar: {
    purpose: "makes disks of images",
    needed: true,
    packages: { ...everywhere("squashfs-tools"), zypper: "squashfs", nix: "squashfsTools" },
  },
  bwrap: {
    purpose: "confines the boxes and what serves their volumes",
    needed: false,
    packages: everywhere("bubblewrap"),
  },
  passt: {
    purpose: "boxes with --network",
    needed: false,
    packages: everywhere("passt"),
    exceptions: { "ubuntu:22.04": null },
  },
  virtiofsd: {
    purpose: "boxes with --volume",
    needed: false,
    folders: ["/usr/libexec", "/usr/lib/qemu", "/usr/lib"],
    packages: everywhere("virtiofsd"),
    exceptions: { "debian:12": "qemu-system-common", "ubuntu:22.04": "qemu-system-common" },
  },
  skopeo: { purpose: "pulls images", needed: false, packages: everywhere("skopeo") },
} as const satisfies Readonly<Record<string, Program>>;

export type ProgramName = keyof typeof programs;

export const programNames = Object.keys(programs) as readonly ProgramName[];

export function programOf(name: ProgramName): Program {
  return programs[name];
}
