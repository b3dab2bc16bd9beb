import { expect, test } from "vitest";
import { installationOf, packageOf, programNames, readDistribution } from "../src/index.ts";
import { managerNames, managers } from "../src/package-managers.ts";

/** What os-release of each says, cut to what is read. */
const releases: readonly (readonly [
  osRelease: string,
  first: string,
  qemu: string | undefined,
  virtiofsd: string | undefined,
])[] = [
  ['ID=debian\nVERSION_ID="12"', "apt-get update", "qemu-system-x86", "qemu-system-common"],
  ['ID=debian\nVERSION_ID="13"', "apt-get update", "qemu-system-x86", "virtiofsd"],
  ['ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"', "apt-get update", "qemu-system-x86", "qemu-system-common"],
  ['ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"', "apt-get update", "qemu-system-x86", "virtiofsd"],
  ['ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"', "apt-get update", "qemu-system-x86", "virtiofsd"],
  ["ID=fedora\nVERSION_ID=42", "dnf install", "qemu-system-x86-core", "virtiofsd"],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.5"', "dnf install", undefined, "virtiofsd"],
  [
    'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"',
    "zypper --non-interactive",
    "qemu-x86",
    "virtiofsd",
  ],
  ["ID=arch", "pacman -S", "qemu-system-x86", "virtiofsd"],
  ["ID=endeavouros\nID_LIKE=arch", "pacman -S", "qemu-system-x86", "virtiofsd"],
  ["ID=alpine\nVERSION_ID=3.22.1", "apk add", "qemu-system-x86_64", "virtiofsd"],
  ['ID=nixos\nVERSION_ID="25.05"', "nix-env -f", "qemu", "virtiofsd"],
];

test.each(releases)("the packages and the command of %j", (osRelease, first, qemu, virtiofsd) => {
  const distribution = readDistribution(osRelease);
  expect(packageOf("qemu-system-x86_64", distribution)).toBe(qemu);
  expect(packageOf("virtiofsd", distribution)).toBe(virtiofsd);
  const { commands = [], packages } = installationOf(programNames, distribution) ?? {};
  expect(commands.map((words) => words.join(" ")).join("\n")).toMatch(new RegExp(`^${first}`));
  expect(commands.at(-1)?.slice(-(packages?.length ?? 0))).toEqual(packages);
});

/** Of every family that a manager is for, with no release that is an exception. */
const everyFamily = managerNames.flatMap((manager) => managers[manager].families.map((id) => [manager, id] as const));

test.each(everyFamily)(
  "%s has a package of every program for %s, and one command installs all of them",
  (manager, id) => {
    const distribution = readDistribution(`ID=${id}`);
    expect(distribution.manager).toBe(manager);
    const missing = programNames.filter((name) => packageOf(name, distribution) === undefined);
    // Red Hat's own QEMU can't run boxes.
    expect(missing).toEqual(id === "rhel" ? ["qemu-system-x86_64"] : []);
    const words = installationOf(programNames, distribution)?.commands.at(-1) ?? [];
    expect(words.filter((word) => !/^[A-Za-z0-9_<>+.-]+$/.test(word))).toEqual([]);
  },
);

test("a package that has two programs is installed once", () => {
  const debian = readDistribution("ID=debian\nVERSION_ID=13");
  expect(installationOf(["mkfs.ext4", "tune2fs"], debian)?.packages).toEqual(["e2fsprogs"]);
});

test("nothing is run where nothing is missing, and on a system that is not known", () => {
  expect(installationOf([], readDistribution("ID=debian"))).toBeUndefined();
  expect(installationOf(programNames, readDistribution("ID=plan9"))).toBeUndefined();
});
