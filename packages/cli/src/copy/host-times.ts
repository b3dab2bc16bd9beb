import { spawn } from "node:child_process";
import { once } from "node:events";
import { type ByteString, toBuffer } from "./bytes.ts";
import type { HostDirectory } from "./host-directory.ts";
import { encodeTime } from "./tar/pax.ts";

/**
 * For Node's calls, which cut seconds to microseconds: half a one more, so that none is lost on the way. Numbers below zero mean "now" to them; a
 * Date does not, and has milliseconds.
 */
export function nodeTime(ns: bigint): number | Date {
  if (ns < 0n) return new Date(Number(ns / nsPerMs));
  const micros = ns / nsPerMicro;
  return ns % nsPerSecond === 0n ? Number(ns / nsPerSecond) : (Number(micros) + 0.5) / 1e6;
}

const nsPerMicro = 1000n;
const nsPerMs = 1_000_000n;
const nsPerSecond = 1_000_000_000n;

function isExact(ns: bigint): boolean {
  return ns % (ns < 0n ? nsPerMs : nsPerMicro) === 0n;
}

export interface FileTime {
  /** In the directory. */
  readonly name: ByteString;
  readonly mtimeNs: bigint;
}

/**
 * Sets times that have nanoseconds, which Node can't: by `touch`, one shell for all of a directory. The shell's working directory is the open
 * one, and symlinks are not followed. Where there is no such touch, times stay as they are: right to the microsecond.
 */
export async function setExactTimes(directory: HostDirectory, times: readonly FileTime[]): Promise<void> {
  const lines = times
    .filter(({ mtimeNs }) => !isExact(mtimeNs))
    .map(({ name, mtimeNs }) => `touch -h -c -m -d @${encodeTime(mtimeNs)} -- ./'${name.replaceAll("'", "'\\''")}'\n`);
  if (lines.length === 0) return;
  const shell = spawn("/bin/sh", ["-s"], {
    cwd: directory.cwd,
    stdio: ["pipe", "ignore", "ignore"],
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C" },
  });
  shell.stdin.on("error", () => undefined);
  shell.stdin.end(toBuffer(lines.join("")));
  await once(shell, "close").catch(() => undefined);
}
