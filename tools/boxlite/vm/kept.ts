import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isAlive, processRefSchema } from "@boxrun/host";
import type { RunningVm } from "./boot.ts";

/** One kept VM per checkout, because it holds that checkout's node_modules. */
function recordFile(cacheDir: string, checkout: string): string {
  const key = createHash("sha256").update(checkout).digest("hex").slice(0, 16);
  return join(cacheDir, "outer-vm", `kept-${key}.json`);
}

/** The checkout's kept VM, if it is running. */
export async function keptVm(cacheDir: string, checkout: string): Promise<RunningVm | undefined> {
  try {
    const { dir, qemu } = JSON.parse(await readFile(recordFile(cacheDir, checkout), "utf8"));
    const vm = { dir: String(dir), qemu: processRefSchema.parse(qemu) };
    return isAlive(vm.qemu) ? vm : undefined;
  } catch {
    return undefined;
  }
}

export async function rememberVm(cacheDir: string, checkout: string, { dir, qemu }: RunningVm): Promise<void> {
  const file = recordFile(cacheDir, checkout);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, JSON.stringify({ dir, qemu }, null, 2));
}

export async function forgetVm(cacheDir: string, checkout: string): Promise<void> {
  await rm(recordFile(cacheDir, checkout), { force: true });
}
