/** How each installs packages: the commands' words, in order. */
export const managers = {
  apt: {
    families: ["debian", "ubuntu"],
    needsRoot: true,
    install: (packages: readonly string[]) => [
      ["apt-get", "update"],
      ["apt-get", "install", "--yes", "--no-install-recommends", ...packages],
    ],
  },
  dnf: {
    families: ["fedora", "rhel", "centos"],
    needsRoot: true,
    install: (packages: readonly string[]) => [["dnf", "install", "--assumeyes", ...packages]],
  },
  zypper: {
    families: ["suse", "opensuse", "sles"],
    needsRoot: true,
    install: (packages: readonly string[]) => [["zypper", "--non-interactive", "install", ...packages]],
  },
  pacman: {
    families: ["arch"],
    needsRoot: true,
    install: (packages: readonly string[]) => [["pacman", "-S", "--needed", "--noconfirm", ...packages]],
  },
  apk: {
    families: ["alpine"],
    needsRoot: true,
    install: (packages: readonly string[]) => [["apk", "add", ...packages]],
  },
  nix: {
    families: ["nixos"],
    needsRoot: false,
    install: (packages: readonly string[]) => [["nix-env", "-f", "<nixpkgs>", "-iA", ...packages]],
  },
} as const satisfies Record<
  string,
  {
    /** Of os-release: `ID`, or a word of `ID_LIKE`. */
    readonly families: readonly string[];
    readonly needsRoot: boolean;
    readonly install: (packages: readonly string[]) => readonly (readonly string[])[];
  }
>;

export type PackageManager = keyof typeof managers;

export const managerNames = Object.keys(managers) as readonly PackageManager[];
