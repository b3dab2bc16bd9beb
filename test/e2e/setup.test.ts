import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { defaultCacheDir } from "@boxrun/host";
import { afterAll, expect, it } from "vitest";
import { cliPath } from "./support/server.ts";

/** A cache with all that a box is made of, and no templates; and where temporary files are that are nobody else's. */
const home = mkdtempSync(join(tmpdir(), "br-setup-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const cacheDir = join(home, "cache");
for (const name of ["guest", "images", "probe"]) {
  const from = join(defaultCacheDir(), name);
  if (existsSync(from)) cpSync(from, join(cacheDir, name), { recursive: true, preserveTimestamps: true });
}
const temporary = mkdtempSync(join(home, "t-"));
const env = {
  ...process.env,
  BOXRUN_CACHE_DIR: cacheDir,
  BOXRUN_HOST: undefined,
  SUDO_USER: undefined,
  TMPDIR: temporary,
};
const templates = () => (existsSync(join(cacheDir, "templates")) ? readdirSync(join(cacheDir, "templates")) : []);

function setUp(more: Record<string, string> = {}) {
  const child = spawn(process.execPath, [cliPath, "setup", "--json"], {
    env: { ...env, ...more },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { child, ended };
}

it("where QEMU boots nothing it says so, and is done", async () => {
  const bin = join(home, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "qemu-system-x86_64"), "#!/bin/sh\necho no such machine >&2; exit 1\n", { mode: 0o755 });
  const [stdout, , [code]] = await setUp({ PATH: `${bin}:${process.env.PATH}` }).ended;
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    first_vm: { ready: false, why: expect.stringContaining("no such machine") },
  });
  expect(templates()).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
});

it("a set-up that is interrupted while it boots the first VM leaves nothing of it", async () => {
  const { child, ended } = setUp();
  await expect.poll(templates, { timeout: 120_000 }).not.toEqual([]);
  child.kill("SIGINT");
  const [stdout, stderr, [code]] = await ended;
  expect({ stdout, code }).toEqual({ stdout: "", code: 130 });
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(templates()).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
});

it("a first VM is booted once, and then boxes of the usual size have what they start from", async () => {
  for (const made of [true, false]) {
    const [stdout, stderr, [code]] = await setUp().ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ command: null, first_vm: { ready: true, made } });
    expect(templates()).toHaveLength(2);
    expect(readdirSync(temporary)).toEqual([]);
  }
});
