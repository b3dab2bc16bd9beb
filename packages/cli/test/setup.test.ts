import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programNames, thisDistribution } from "@boxrun/host";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { boxrun } from "./support/cli.ts";

let bin: string;
beforeEach(async () => {
  bin = await mkdtemp(join(tmpdir(), "br-setup-"));
});
afterEach(() => rm(bin, { recursive: true, force: true }));

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(bin, name), 0o755);
}

const setUp = (...args: string[]) => setUpAs({}, ...args);
const setUpAs = (env: Record<string, string | undefined>, ...args: string[]) =>
  boxrun(["setup", ...args], {
    env: { PATH: bin, BOXRUN_CACHE_DIR: join(bin, "cache"), SUDO_USER: undefined, DOAS_USER: undefined, ...env },
  });

describe("setup", () => {
  it("says that nothing is missing where nothing is", async () => {
    for (const name of programNames) await program(name, "exit 1");
    const { code, stdout } = await setUp();
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^All programs that boxes need are here\.\nNo first VM was booted: find the guest kernel: .*\.\n$/,
    );
    const elsewhere = await setUpAs({ BOXRUN_HOST: "https://boxes.example.org" }, "--json");
    expect(JSON.parse(elsewhere.stdout)).toMatchObject({
      first_vm: { ready: false, why: expect.stringContaining("guest kernel") },
    });
  });

  it("boots no first VM where every box is to boot, or where it runs as root for somebody else", async () => {
    for (const name of programNames) await program(name, "exit 1");
    const told = async (env: Record<string, string>) => (await setUpAs(env)).stdout.split("\n")[1];
    expect(await told({ BOXRUN_TEMPLATE_CACHE_MB: "0" })).toMatch(/^No first VM .*BOXRUN_TEMPLATE_CACHE_MB is 0/);
    expect(await told({ SUDO_USER: "somebody" })).toMatch(
      process.getuid?.() === 0 ? /^No first VM .* somebody has it by `boxrun setup`/ : /^No first VM /,
    );
  });

  it("names what is missing, what for, and whether boxes run without it", async () => {
    for (const name of programNames) if (name !== "passt") await program(name, "exit 1");
    const { code, stdout } = await setUp();
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^Missing on this host:\n {2}passt: boxes with --network; all else works without it \(.*\)\n/,
    );
    await rm(join(bin, "qemu-system-x86_64"));
    const needed = await setUp();
    expect(needed.code).toBe(1);
    expect(needed.stdout).toMatch(/\nNo first VM was booted: programs are missing without which no box runs\.\n$/);
    expect(needed.stdout).toMatch(/^ {2}qemu-system-x86_64: runs the boxes \(/m);
  });

  it.skipIf(thisDistribution().manager !== "apt")("runs the very command that it names", async () => {
    await program("sudo", 'exec "$@"');
    const appears = programNames.map(
      (name) => `echo 'exit 1' >'${bin}/${name}'; PATH=/usr/bin:/bin chmod 755 '${bin}/${name}'`,
    );
    await program("apt-get", `echo "apt-get $*" >>'${bin}/calls'\n[ "$1" = update ] || { ${appears.join("; ")}; }`);
    const told = JSON.parse((await setUp("--json")).stdout);
    expect(told).toMatchObject({ ran: false, command: expect.stringContaining("qemu-system-x86 ") });
    const { code, stdout } = await setUp("--yes");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^All programs that boxes need are here\.\n/);
    const calls = (await readFile(join(bin, "calls"), "utf8")).trimEnd().split("\n").join(" && ");
    expect(calls).toBe(told.command.replaceAll("sudo ", ""));
  });

  it.skipIf(thisDistribution().manager !== "apt")("says that the package manager has failed", async () => {
    await program("sudo", 'exec "$@"');
    await program("apt-get", "echo no network >&2; exit 100");
    const { code, stderr } = await setUp("--yes");
    expect(code).toBe(125);
    expect(stderr).toMatch(/no network\nError: setup: `.*apt-get update` failed; its own messages are above\n/);
  });
});
