import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { expect } from "vitest";

/** What the host's kernel says of a process, from outside of it. */
function statusOf(pid: number): ReadonlyMap<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").trim().split("\n");
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
}

const namespaces = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

/** What a box's QEMU finds in its root; with KVM, its device too. */
const jailRoot = "boxrun-host bulk disk.ext4 image.squashfs initramfs kernel lib lib64 s usr".split(" ");

/** Fails unless this process of a box is in a jail with limits, and sees nothing but its own files and, of a VM that is resumed, `more`. */
export function expectJailed(pid: number, more: readonly string[] = []): void {
  const status = statusOf(pid);
  const namespaceOf = (process: string, name: string) => readlinkSync(`/proc/${process}/ns/${name}`);
  for (const name of namespaces) expect(namespaceOf(`${pid}`, name), name).not.toBe(namespaceOf("self", name));
  for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(status.get(set), set).toMatch(/^0+$/);
  expect([status.get("NoNewPrivs"), status.get("Seccomp")]).toEqual(["1", "2"]);

  const user = Number(status.get("Uid")?.split("\t")[0]);
  const own = process.getuid?.() ?? 0;
  // Where the server is root, the box is nobody whom the host knows.
  if (own === 0) expect(user).toBeGreaterThan(0x7000_0000 - 1);
  else expect(user).toBe(own);
  expect(status.get("Uid")).toBe(Array(4).fill(user).join("\t"));

  // With KVM it is in the group that may use its device, where not everybody may.
  const hasKvm = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes("kvm");
  const root = [...jailRoot, ...(hasKvm ? ["dev"] : []), ...more];
  expect(readdirSync(`/proc/${pid}/root`).sort()).toEqual(root.sort());
  if (hasKvm) expect(readdirSync(`/proc/${pid}/root/dev`)).toEqual(["kvm"]);
  const groups = hasKvm && (statSync("/dev/kvm").mode & 0o006) !== 0o006 ? `${statSync("/dev/kvm").gid}` : "";
  if (own === 0) expect(status.get("Groups")).toBe(groups);
  // The image is the one that all its boxes share.
  expect(readFileSync(`/proc/${pid}/mountinfo`, "utf8")).toMatch(/ \/image\.squashfs ro,/);
  const cards = readFileSync(`/proc/${pid}/net/dev`, "utf8").trim().split("\n").slice(2);
  expect(cards.map((line) => line.trim().split(":")[0])).toEqual(["lo"]);

  const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
  for (const limit of ["Max data size", "Max processes", "Max open files", "Max core file size"]) {
    expect(limits).toMatch(new RegExp(`^${limit} +\\d+ +\\d+ `, "m"));
  }
}
