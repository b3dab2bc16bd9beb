import { type FileHandle, open } from "node:fs/promises";
import { BoxRunError } from "@boxrun/contract";
import { HelperProcess } from "./helper-process.ts";
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
  const fail = (how: string, cause?: unknown) =>
    new BoxRunError("RUNTIME_ERROR", `take the template ${file} into memory: ${how}`, { cause });
  const helper = new HelperProcess(program, args, { fail, signal });
  try {
    const descriptor = Number(await helper.line());
    return await open(`/proc/${helper.pid}/fd/${descriptor}`, flags);
  } finally {
    helper.hangUp();
  }
}
