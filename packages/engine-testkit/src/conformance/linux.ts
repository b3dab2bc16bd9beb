import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { eventually } from "./harness.ts";
import { conformanceDefaults } from "./options.ts";

/** What a program may count on in any box. */
export function linuxBehaviours({ behaviour, harness, options }: Suite): void {
  const { cpu, memoryMb, diskSizeGb } = options.box ?? conformanceDefaults.box;

  behaviour("the host name is the box's, also in /etc/hostname and /etc/hosts", [], async () => {
    expect((await harness.run(["hostname"])).stdout.toString()).toBe("conformance\n");
    expect((await harness.read("/etc/hostname")).toString().trim()).toBe("conformance");
  });

  behaviour("the box's own name and localhost are in /etc/hosts", ["linux"], async () => {
    const hosts = (await harness.read("/etc/hosts")).toString();
    expect(hosts).toMatch(/^127\.0\.0\.1\s.*\blocalhost\b/m);
    expect(hosts).toMatch(/\bconformance\b/);
  });

  behaviour("a kernel of its own: not the host's boot", ["linux"], async () => {
    const ours = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
    expect(await harness.sh("cat /proc/sys/kernel/random/boot_id")).not.toBe(ours.trim());
  });

  behaviour("/proc and /sys are mounted", ["linux"], async () => {
    expect(await harness.sh("cat /proc/self/comm; test -d /sys/kernel && echo sys")).toBe("cat\nsys");
  });

  behaviour("the usual devices are there and work", ["linux"], async () => {
    const script =
      "echo x > /dev/null; head -c 4 /dev/zero | od -An -tx1 | tr -d ' '; head -c 16 /dev/urandom | wc -c | tr -d ' '; " +
      "test -c /dev/full && test -c /dev/tty && test -c /dev/ptmx && test -d /dev/pts && test -d /dev/fd && echo all; " +
      "echo through > /dev/stdout";
    expect(await harness.sh(script)).toBe("00000000\n16\nall\nthrough");
  });

  behaviour(
    "a clock that a program sets is put right, without anybody asking the box anything",
    ["linux"],
    async () => {
      // The program waits for it itself: its answer began before.
      const script =
        "date -s '2020-01-01 00:00:00' > /dev/null && until [ \"$(date +%Y)\" != 2020 ]; do sleep 0.1; done; date +%s";
      const offS = Number(await harness.sh(script)) - Date.now() / 1000;
      expect(Math.abs(offS)).toBeLessThan(30);
    },
  );

  behaviour("/dev/shm takes files, and /tmp is everybody's with mode 1777", ["linux"], async () => {
    expect(await harness.sh("echo shared > /dev/shm/x && cat /dev/shm/x && rm /dev/shm/x; stat -c %a /tmp")).toBe(
      "shared\n1777",
    );
    const { exit } = await harness.run(["sh", "-c", "touch /tmp/mine /dev/shm/mine"], {
      user: "1234:2345",
      workdir: "/",
    });
    expect(exit.code).toBe(0);
  });

  behaviour("the clock is within 2 s of the host's", ["linux"], async () => {
    const before = Date.now() / 1000;
    const inside = Number(await harness.sh("date +%s"));
    const after = Date.now() / 1000;
    expect(inside).toBeGreaterThan(before - 2);
    expect(inside).toBeLessThan(after + 2);
  });

  behaviour(
    "programs sleep as precisely as anywhere; only the agent's monitor of itself oversleeps",
    ["linux"],
    async () => {
      // A thread may end meanwhile.
      const slack = "for t in /proc/1/task/*; do cat /proc/$(basename $t)/timerslack_ns 2> /dev/null; done; true";
      expect(await harness.sh("cat /proc/self/timerslack_ns")).toBe("50000");
      expect((await harness.sh(slack)).split("\n")).toContain("5000000");
    },
  );

  behaviour("CPUs, memory and disk are what was asked for", ["linux"], async () => {
    expect(Number(await harness.sh("nproc"))).toBe(cpu);
    const totalMb = Number(await harness.sh("awk '/^MemTotal/ { print $2 }' /proc/meminfo")) / 1024;
    // The kernel keeps some for itself before it counts.
    expect(totalMb).toBeGreaterThan(memoryMb * 0.7);
    expect(totalMb).toBeLessThanOrEqual(memoryMb);
    const sizeKb = Number(await harness.sh("df -k / | tail -n 1 | awk '{ print $2 }'"));
    // A file system's own tables are part of its disk.
    expect(sizeKb / 1024 / 1024).toBeGreaterThan(diskSizeGb * 0.85);
    expect(sizeKb / 1024 / 1024).toBeLessThanOrEqual(diskSizeGb);
  });

  behaviour("the whole root is writable, what the image brought too", ["linux"], async () => {
    expect(
      await harness.sh("echo changed > /etc/motd && cat /etc/motd && rm /etc/motd && echo x > /top && rm /top"),
    ).toBe("changed");
  });

  behaviour("orphans are reaped: no zombies stay behind", ["linux"], async () => {
    await harness.sh("for i in 1 2 3 4 5; do (sh -c 'true &' &); done");
    const zombies = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l | tr -d ' '";
    await eventually("no zombies", 10_000, async () => (await harness.sh(zombies)) === "0");
  });
}
