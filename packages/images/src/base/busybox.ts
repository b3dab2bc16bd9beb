import { execFile } from "node:child_process";
import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { BoxRunError } from "@boxrun/contract";

const run = promisify(execFile);

export interface Busybox {
  /** The statically linked program. */
  readonly content: Buffer;
  /** Where its commands belong: `bin/ls`, `usr/bin/awk`, …; sorted. */
  readonly applets: readonly string[];
}

/**
 * The host's own busybox where it is statically linked, else the one of Debian's package busybox-static, fetched with apt.
 * RUNTIME_ERROR that says what to install if there is neither.
 */
export async function findBusybox(log: (line: string) => void): Promise<Busybox> {
  for (const file of ["/bin/busybox", "/usr/bin/busybox"]) {
    if (await isStatic(file)) return readBusybox(file);
  }
  log("no static busybox is installed; fetching Debian's package busybox-static");
  const scratch = await mkdtemp(join(tmpdir(), "boxrun-busybox-"));
  try {
    await run("apt-get", ["download", "-q", "busybox-static"], { cwd: scratch });
    const [deb] = (await readdir(scratch)).filter((name) => name.endsWith(".deb"));
    if (deb === undefined) throw new Error("apt-get downloaded nothing");
    await run("dpkg-deb", ["--extract", join(scratch, deb), scratch]);
    return await readBusybox(join(scratch, "bin/busybox")).catch(() => readBusybox(join(scratch, "usr/bin/busybox")));
  } catch (error) {
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `build the base image: there is no static busybox; install the Debian package busybox-static (${reason(error)})`,
      { cause: error },
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Runs it, to be told its commands. */
export async function readBusybox(file: string): Promise<Busybox> {
  const content = await readFile(file);
  const { stdout } = await run(file, ["--list-full"]);
  const applets = stdout
    .split("\n")
    .filter((line) => /^(usr\/)?s?bin\/[^/]+$/.test(line) && !line.endsWith("/busybox"));
  return { content, applets: [...new Set(applets)].sort() };
}

/** True for an ELF program that names no interpreter (program header PT_INTERP), which is what a dynamic linker would be. */
async function isStatic(file: string): Promise<boolean> {
  const handle = await open(file, "r").catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
    const elf64LittleEndian = "\x7fELF\x02\x01";
    if (bytesRead < 64 || buffer.toString("latin1", 0, 6) !== elf64LittleEndian) return false;
    const [table, size, count] = [Number(buffer.readBigUInt64LE(32)), buffer.readUInt16LE(54), buffer.readUInt16LE(56)];
    if (table + size * count > bytesRead) return false;
    const interpreter = 3;
    return !Array.from({ length: count }, (_, i) => buffer.readUInt32LE(table + i * size)).includes(interpreter);
  } finally {
    await handle.close();
  }
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split("\n").at(-1) ?? text;
}
