import { spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { BoxRunError } from "@boxrun/contract";
import { keepTail } from "@boxrun/host";
import { type BoxCgroup, startedIn } from "./started-in.ts";

/** Copies of a template's memory, which the host helper makes (host-helper/hold.go). One is there as long as somebody has it open or mapped. */

/** One that nobody can write, however it is opened. RUNTIME_ERROR with the helper's words. */
export async function sealedCopy(hostHelper: string, file: string): Promise<FileHandle> {
  return await copyInMemory(hostHelper, "hold", file, "r");
}

/** One of an open file, to be written. What it takes of the host's memory is counted in `cgroup`. RUNTIME_ERROR as of `sealedCopy`. */
export async function ownCopy(
  hostHelper: string,
  file: number,
  cgroup: BoxCgroup | undefined,
  signal: AbortSignal,
): Promise<FileHandle> {
  return await copyInMemory(hostHelper, "copy", `/proc/${process.pid}/fd/${file}`, "r+", { cgroup, signal });
}

async function copyInMemory(
  hostHelper: string,
  command: "hold" | "copy",
  file: string,
  flags: "r" | "r+",
  { cgroup, signal }: { readonly cgroup?: BoxCgroup | undefined; readonly signal?: AbortSignal } = {},
): Promise<FileHandle> {
  const { program, args } = startedIn(cgroup, hostHelper, [command, file]);
  const helper = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: {},
    ...(signal && { signal }),
  });
  const errors = keepTail(helper.stderr, 4096);
  helper.stdin.on("error", () => undefined);
  const failed = new Promise<never>((_, reject) => {
    const fail = (how: string) =>
      reject(new BoxRunError("RUNTIME_ERROR", `take the template ${file} into memory: ${errors.text() || how}`));
    helper.once("error", (error) => fail(error.message));
    helper.once("close", (code, killed) => fail(`its helper ended with ${code ?? killed}`));
  });
  failed.catch(() => undefined);
  const lines = createInterface({ input: helper.stdout });
  try {
    const [descriptor] = await Promise.race([once(lines, "line"), failed]);
    return await open(`/proc/${helper.pid}/fd/${Number(descriptor)}`, flags);
  } finally {
    lines.close();
    helper.stdin.end();
  }
}
