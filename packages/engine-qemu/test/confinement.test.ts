import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findConfinement } from "../src/jail/confinement.ts";

let dir: string;
const path = process.env.PATH ?? "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "bc-"));
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(dir, { recursive: true, force: true });
});

function program(name: string, script: string): string {
  const file = join(dir, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** On a host with these programs, whose guest is never booted. */
function find(qemu: string) {
  const hostHelper = program("boxrun-host", "exit 9");
  const manifest = {
    ...{ version: 1 as const, key: "0".repeat(64), arch: "amd64" },
    kernel: { package: "k", version: "1", format: "bzImage" as const },
    modules: { root: [], network: [], volumes: [] },
  };
  const guest = { dir, kernel: hostHelper, initramfs: hostHelper, hostHelper, manifest };
  return findConfinement({ qemu, guest, accelerator: "tcg", cacheDir: join(dir, "cache") });
}

test("without bwrap there is no jail, and what to install is said", async () => {
  process.env.PATH = dir;
  const { jail, how } = await find(program("qemu-system-x86_64", "exit 1"));
  expect(jail).toBeUndefined();
  expect(how).toContain("the program bwrap is missing");
});

test("a QEMU that is a script is not put into a jail, for nobody knows what it needs", async () => {
  program("bwrap", "exit 1");
  process.env.PATH = `${dir}${delimiter}${path}`;
  const { jail, how } = await find(program("qemu-system-x86_64", "exit 1"));
  expect(jail).toBeUndefined();
  expect(how).toContain("is a script");
});

test("a bwrap that may make no namespaces is no jail, its own words say why, and it is asked again the next time", async () => {
  process.env.PATH = `${dir}${delimiter}${path}`;
  for (const words of ["bwrap: No permissions to create new namespace", "bwrap: No space left on device"]) {
    program("bwrap", `echo "${words}" >&2; exit 1`);
    const { jail, how } = await find("/bin/true");
    expect(jail).toBeUndefined();
    expect(how).toContain(words);
  }
});
