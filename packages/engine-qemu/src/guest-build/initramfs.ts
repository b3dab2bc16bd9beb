import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { type CpioEntry, characterDeviceMode, directoryMode, executableMode, fileMode, writeCpio } from "./cpio.ts";
import { type GuestKernel, keptModules, modulePath } from "./kernel.ts";

/** Where a module lies in the guest. */
export function guestModulePath(name: string): string {
  return `/modules/${name}.ko`;
}

/**
 * The guest's first root file system:
 *
 *     /init            the agent, PID 1
 *     /modules/*.ko    kernel modules
 *     /modules/early   those that the agent loads before it greets: one path a line, in order
 *     /dev/console     for the kernel to give to PID 1
 */
export async function buildInitramfs(agentFile: string, kernel: GuestKernel): Promise<Buffer> {
  const entries: CpioEntry[] = [
    { name: "dev", mode: directoryMode },
    { name: "dev/console", mode: characterDeviceMode, device: [5, 1] },
    { name: "modules", mode: directoryMode },
  ];
  for (const name of keptModules(kernel)) {
    const content = await readFile(modulePath(kernel.dir, name));
    entries.push({ name: guestModulePath(name).slice(1), mode: fileMode, content });
  }
  const early = kernel.record.modules.early.map((name) => `${guestModulePath(name)}\n`).join("");
  entries.push({ name: "modules/early", mode: fileMode, content: Buffer.from(early) });
  entries.push({ name: "init", mode: executableMode, content: await readFile(agentFile) });
  return wholePages(gzipSync(writeCpio(entries), { level: 6 }));
}

const pageBytes = 4096;

/**
 * QEMU loads it so that it ends in the last page of the guest's memory, or, if it is whole pages, before that. And into that page QEMU 10's firmware has put the ACPI tables by then (7.2's has them
 * below 1 MiB), from the end on: half a kilobyte, 3.4 with PCI. A kernel that finds its DSDT overwritten takes any length for the table's, and adds up bytes for ever.
 * What follows a packed archive as zeros the kernel skips.
 */
export function wholePages(packed: Buffer): Buffer {
  return Buffer.concat([packed, Buffer.alloc(-packed.length & (pageBytes - 1))]);
}
