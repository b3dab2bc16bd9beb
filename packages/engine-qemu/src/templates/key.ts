import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { VmShape } from "../vm/command-line.ts";
import type { BoxContents } from "./make-ready.ts";

/** Another way to make templates makes others of them. */
const formatVersion = 5;

/** Stands for all that a VM has to have in common with the template that it is resumed from. */
export async function templateKey(shape: VmShape, qemu: string): Promise<string> {
  const parts = [
    formatVersion,
    // Their directories are named by the hash of all that they were built from: kernel, agent, modules.
    shape.kernel,
    shape.initramfs,
    await fileIdentity(qemu),
    await cpuIdentity(),
    shape.accelerator,
    shape.cpu,
    shape.memoryMb,
    shape.network === undefined ? "no card" : "card",
    shape.volumes === undefined ? "no volumes" : "volumes",
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24);
}

/** Stands for a program's version; asking the program itself would take longer. */
async function fileIdentity(path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path);
  return `${path} ${mtimeMs} ${size} ${ino}`;
}

/** The same for ready ones alone. */
const readyVersion = 2;

let cpu: Promise<string> | undefined;

/** The host's CPU with what it can do, which the guest has seen; it does not change while this process runs. */
function cpuIdentity(): Promise<string> {
  cpu ??= readFile("/proc/cpuinfo", "utf8").then((text) =>
    ["vendor_id", "model name", "stepping", "flags", "Features"]
      .map((name) => new RegExp(`^${name}\\s*: (.*)$`, "m").exec(text)?.[1] ?? "")
      .join("|"),
  );
  return cpu;
}

/** Stands for a bare template and the contents of the box that begins in it. */
export function readyKey(bareKey: string, { image, diskSizeGb }: Pick<BoxContents, "image" | "diskSizeGb">): string {
  const parts = ["ready", readyVersion, bareKey, image.layout, diskSizeGb];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24);
}
