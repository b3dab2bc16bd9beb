import { open, realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { run } from "@boxrun/host";
import { z } from "zod";

/** What QEMU reads of the host to run: all that a jail shows it of the host's own files. */
export const qemuFilesSchema = z.object({
  program: z.string(),
  /** Directories of libraries, modules, firmware: as the host has them, and where the jail shows them. */
  directories: z.array(z.object({ source: z.string(), target: z.string() })).readonly(),
});
export type QemuFiles = z.infer<typeof qemuFilesSchema>;

/** RUNTIME_ERROR if the program is none whose files can be told. */
export async function findQemuFiles(qemu: string): Promise<QemuFiles> {
  const program = await realpath(qemu);
  if (!(await isElf(program))) {
    throw new BoxRunError("RUNTIME_ERROR", `${qemu} is a script: what it runs can't be foreseen`);
  }
  const [libraries, firmware] = await Promise.all([
    run("ldd", [program], { operation: "find QEMU's libraries", env: { LC_ALL: "C" } }),
    run(program, ["-L", "help"], { operation: "find QEMU's firmware" }),
  ]);
  const directories = new Map<string, string>();
  for (const [, library = ""] of libraries.matchAll(/(\/\S+) \(0x[0-9a-f]+\)$/gm)) {
    // Where the name points to, and the name itself: the loader goes by names.
    const literal = dirname(library);
    const real = dirname(await realpath(library));
    directories.set(real, real).set(literal, await realpath(literal));
  }
  for (const line of firmware.split("\n").filter((text) => text.startsWith("/"))) {
    const target = resolve(line);
    const source = await realpath(target).catch(() => undefined);
    if (source !== undefined) directories.set(target, source);
  }
  return {
    program,
    directories: [...directories]
      .map(([target, source]) => ({ source, target }))
      // One that lies in another is in it already, and where it comes from symlinks it would be in the way.
      .filter(({ target }, _, all) => !all.some((other) => target.startsWith(`${other.target}/`))),
  };
}

async function isElf(program: string): Promise<boolean> {
  const file = await open(program);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.equals(Buffer.from("\x7fELF", "latin1"));
  } finally {
    await file.close();
  }
}
