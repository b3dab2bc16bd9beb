import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  type CpioEntry,
  characterDeviceMode,
  directoryMode,
  executableMode,
  fileMode,
  writeCpio,
} from "../../../packages/engine-qemu/src/guest-build/cpio.ts";
import type { OuterImage } from "./build.ts";

const inside = join(import.meta.dirname, "../inside");

/**
 * The outer VM's initramfs. It is made anew for each boot, so that the scripts in `inside/` are the checkout's own and the keys of this
 * boot's alone:
 *
 *     /init, /bin/busybox   what mounts the Debian root and enters it
 *     /modules/             kernel modules, and `order`
 *     /given/               start, run, authorized_keys, host-key.openssh: appears as /run/boxlite in the VM
 */
export async function writeInitramfs(
  file: string,
  image: OuterImage,
  keys: { readonly authorized: string; readonly host: string },
): Promise<void> {
  const directory = (name: string): CpioEntry => ({ name, mode: directoryMode });
  const script = async (name: string, from: string): Promise<CpioEntry> => ({
    name,
    mode: executableMode,
    content: await readFile(join(inside, from)),
  });
  const entries: CpioEntry[] = [
    ...["bin", "dev", "low", "memory", "modules", "new", "given"].map(directory),
    { name: "dev/console", mode: characterDeviceMode, device: [5, 1] },
    { name: "bin/busybox", mode: executableMode, content: await readFile(image.busybox) },
    await script("init", "init"),
    await script("given/start", "start"),
    await script("given/run", "run"),
    { name: "given/authorized_keys", mode: fileMode, content: await readFile(keys.authorized) },
    { name: "given/host-key.openssh", mode: fileMode, content: await readFile(keys.host) },
  ];
  for (const path of image.modules) {
    entries.push({ name: `modules/${basename(path)}`, mode: fileMode, content: await readFile(path) });
  }
  const order = image.modules.map((path) => `${basename(path, ".ko")}\n`).join("");
  entries.push({ name: "modules/order", mode: fileMode, content: Buffer.from(order) });
  await writeFile(file, gzipSync(writeCpio(entries), { level: 1 }));
}
