import { spawn } from "node:child_process";
import { once } from "node:events";
import { type ByteString, toBuffer } from "./bytes.ts";
import type { HostDirectory } from "./host-directory.ts";
import { encodeTime } from "./tar/pax.ts";

/**
 * For Node's calls, right to the microsecond: they take seconds as a double, and some versions cut that to microseconds, so it is half a one more.
 * Numbers below zero mean "now" to them; a Date does not, and has milliseconds.
 */
export function nodeTime(ns: bigint): number | Date {
  if (ns < 0n) return new Date(Number(ns / nsPerMs));
  const micros = ns / nsPerMicro;
  return ns % nsPerSecond === 0n ? Number(ns / nsPerSecond) : (Number(micros) + 0.5) / 1e6;
}

const nsPerMicro = 1000n;
const nsPerMs = 1_000_000n;
const nsPerSecond = 1_000_000_000n;

/** Whether `nodeTime` comes out as it went in, whatever the version. */
function isExact(ns: bigint): boolean {
  return ns % (ns < 0n ? nsPerMs : nsPerSecond) === 0n;
}

export interface FileTime {
  readonly name: ByteString;
  readonly mtimeNs: bigint;
}

/** Names in a directory, by its path below another one. */
export type FileTimes = ReadonlyMap<ByteString, readonly FileTime[]>;

/**
 * Sets times that are no whole seconds, which Node can't do exactly: by `touch`, from one shell for all of a tree. The shell goes into each directory and
 * looks where that is before it does anything: a symlink on the way leads somewhere else, and there nothing is done. Where there is no such
 * touch, times stay as they are: right to the microsecond.
 */
export async function setExactTimes(root: HostDirectory, times: FileTimes): Promise<void> {
  const place = await root.realPath();
  const script: string[] = [];
  for (const [path, files] of times) {
    const lines = files
      .filter(({ mtimeNs }) => !isExact(mtimeNs))
      .map(({ name, mtimeNs }) => `touch -h -c -m -d @${encodeTime(mtimeNs)} -- ${quoted(`./${name}`)}`);
    if (lines.length === 0) continue;
    const directory = quoted([place.replace(/\/$/, ""), path].filter((part) => part !== "").join("/") || "/");
    script.push(`if cd -P -- ${directory} && [ "$PWD" = ${directory} ]; then\n${lines.join("\n")}\nfi\n`);
  }
  if (script.length === 0) return;
  const shell = spawn("/bin/sh", ["-s"], {
    stdio: ["pipe", "ignore", "ignore"],
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C" },
  });
  shell.stdin.on("error", () => undefined);
  shell.stdin.end(toBuffer(script.join("")));
  await once(shell, "close").catch(() => undefined);
}

function quoted(bytes: ByteString): string {
  return `'${bytes.replaceAll("'", "'\\''")}'`;
}
