import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endVm, hostProcesses } from "../src/processes.ts";
import { type BoxHandle, type BoxOptions, loadSdk, openRuntime, type Runtime } from "../src/sdk.ts";
import { openTestHost } from "./support/host.ts";

/**
 * What BoxLite 0.10.0 does that this engine works around. A test that fails here tells that a quirk is gone, and with it the reason for
 * the code that its name points at.
 */
describe("BoxLite 0.10.0, without the engine", () => {
  let host: Awaited<ReturnType<typeof openTestHost>>;
  let home: string;
  let volume: string;
  let runtime: Runtime;

  beforeAll(async () => {
    host = await openTestHost();
    home = await mkdtemp(join(tmpdir(), "bx-"));
    volume = await mkdtemp(join(tmpdir(), "bv-"));
    await writeFile(join(volume, "file"), "content");
    runtime = await openRuntime(home);
  });

  afterAll(async () => {
    for (const { id } of await runtime.listInfo()) await runtime.remove(id, true);
    await host[Symbol.asyncDispose]();
    for (const dir of [home, volume]) await rm(dir, { recursive: true, force: true });
  });

  const bootOnce = async (changes: Partial<BoxOptions>): Promise<BoxHandle> => {
    const box = await runtime.create({
      rootfsPath: host.image.layoutDir,
      cpus: 1,
      memoryMib: 256,
      diskSizeGb: 1,
      autoRemove: false,
      network: { outbound: { mode: "disabled" } },
      advanced: { capabilities: { add: ["ALL"] } },
      ...changes,
    });
    try {
      await box.start();
      return box;
    } catch (error) {
      await endVm(box.id);
      await runtime.remove(box.id, true);
      throw error;
    }
  };
  /** BoxLite's 30 s for a VM to come up may be too few on a busy host: one more attempt, as the engine makes (boxes.ts). */
  const boot = (changes: Partial<BoxOptions>) =>
    bootOnce(changes).catch((error: unknown) => {
      if (!String(error).includes("timed out")) throw error;
      return bootOnce(changes);
    });

  const run = async (box: BoxHandle, script: string) => {
    const exec = await box.exec("sh", ["-c", script]);
    const stdout = await exec.stdout();
    let output = "";
    for (let text = await stdout.next(); text !== null; text = await stdout.next()) output += text;
    const { exitCode } = await exec.wait();
    return { output, exitCode };
  };
  const sh = async (box: BoxHandle, script: string) => (await run(box, script)).output;

  test("a home directory stays locked after the runtime is closed (sdk.ts: one runtime per home)", async () => {
    const { JsBoxlite } = await loadSdk();
    const other = await mkdtemp(join(tmpdir(), "bx-"));
    new JsBoxlite({ homeDir: other }).close();
    expect(() => new JsBoxlite({ homeDir: other })).toThrow(/lock/);
    await rm(other, { recursive: true, force: true });
  });

  describe("a box without a network", () => {
    let box: BoxHandle;
    beforeAll(async () => {
      box = await boot({ volumes: [{ hostPath: volume, guestPath: "/volume", readOnly: true }] });
    });

    test("it boots here, and runs a command: when this fails, nothing of ours can work", async () => {
      expect(await run(box, "uname -s")).toEqual({ output: "Linux\n", exitCode: 0 });
    });

    test("output bytes that are not UTF-8 are lost (everything: our own agent)", async () => {
      expect(await sh(box, "printf 'a\\377b'")).toBe("a\uFFFDb");
    });

    test("no tunnel leads into it (reception.ts: the agent calls the host)", async () => {
      await expect(async () => (await box.network.tunnel(80)).connect()).rejects.toThrow(/network/);
    });

    test("it has an interface dummy0 (guest/internal/boot/contained.go: removeInterface)", async () => {
      expect(await sh(box, "ls /sys/class/net")).toContain("dummy0");
    });

    test("it has more memory than it was given (options.ts: memoryExcessMb)", async () => {
      const totalKb = Number(await sh(box, "awk '/^MemTotal/ { print $2 }' /proc/meminfo"));
      expect(totalKb).toBeGreaterThan(256 * 1024);
    });

    test("asking how full a volume is kills the VM (options.ts: seccompEnabled)", async () => {
      await sh(box, "df /volume").catch(() => undefined);
      await expect.poll(async () => (await runtime.getInfo(box.id))?.state.running, { timeout: 10_000 }).toBe(false);
    });
  });

  // libkrun hands out interrupts that way on x86 alone.
  test.skipIf(process.arch !== "x64")(
    "a box with more than 3 volumes does not start (options.ts: maxVolumes)",
    async () => {
      const volumes = [1, 2, 3, 4].map((nth) => ({ hostPath: volume, guestPath: `/volume${nth}`, readOnly: true }));
      await expect(boot({ volumes })).rejects.toThrow("failed to start");
    },
  );

  test("the process that it takes for the VM is bubblewrap's, and the VM survives its end (processes.ts)", async () => {
    const box = await boot({ detach: true });
    try {
      const pidFile = await readFile(join(home, "boxes", box.id, "shim.pid"), "utf8");
      const recorded = Number(pidFile.split("\n", 1)[0]);
      expect(hostProcesses(box.id).map(({ pid }) => pid)).toContain(recorded);
      process.kill(recorded, "SIGKILL");
      await expect.poll(async () => (await runtime.getInfo(box.id))?.state.running, { timeout: 10_000 }).toBe(false);
      expect(hostProcesses(box.id)).not.toEqual([]);
    } finally {
      await endVm(box.id);
      await runtime.remove(box.id, true);
    }
  });

  describe("a box with a network", () => {
    test("it reaches the host's loopback, unless there is a list of what it may reach (network.ts)", async () => {
      const server = createServer((_, response) => response.end("host loopback"));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      const box = await boot({ network: { outbound: { mode: "enabled" } } });
      try {
        expect(await sh(box, `timeout 10 wget -q -O - http://192.168.127.254:${port}/`)).toBe("host loopback");
      } finally {
        await runtime.remove(box.id, true);
        server.close();
      }
    });

    test("with such a list, every name that is not on it is 0.0.0.0 (network.ts: nameServers)", async () => {
      const box = await boot({ network: { outbound: { mode: "enabled", allowNet: ["10.0.0.0/8"] } } });
      try {
        expect(await sh(box, "nslookup -type=a example.org")).toMatch(/Address:\s*0\.0\.0\.0/);
      } finally {
        await runtime.remove(box.id, true);
      }
    });
  });

  test("the disk that was made of an image stays when no box is left (images.ts)", async () => {
    for (const { id } of await runtime.listInfo()) await runtime.remove(id, true);
    expect(await readdir(join(home, "images/disk-images"))).toEqual([expect.stringMatching(/\.ext4$/)]);
  });
});
