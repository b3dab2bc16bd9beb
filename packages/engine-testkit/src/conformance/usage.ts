import type { BoxUsage, GuestUsage } from "@boxrun/core";
import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { collect } from "./harness.ts";

export function usageBehaviours({ behaviour, harness, options }: Suite): void {
  const read = async (boxId: string, guest = true): Promise<BoxUsage> => {
    const usage = await harness.engine.usage?.(boxId, { guest, proportional: true });
    if (usage === undefined) throw new Error("the engine does not tell what boxes use");
    return usage;
  };
  const told = ({ guest }: BoxUsage): GuestUsage => {
    if (guest.state !== "answered") throw new Error(`the box did not answer: ${JSON.stringify(guest)}`);
    return guest.usage;
  };

  behaviour("usage has the host's view and, if it is asked for, the box's", [], async () => {
    const usage = await read(harness.box);
    const guest = told(usage);
    expect(usage.host.residentBytes).toBeGreaterThan(0);
    expect(guest.memoryBytes).toBeGreaterThan(0);
    expect(guest.memoryBytes).toBeLessThanOrEqual(guest.memoryTotalBytes);
    expect(guest.diskBytes).toBeLessThanOrEqual(guest.diskSizeBytes);
    const { host, guest: answer } = await read(harness.box, false);
    expect(answer).toEqual({ state: "not-asked" });
    expect(host.cpuMs).toBeGreaterThanOrEqual(usage.host.cpuMs);
  });

  behaviour("usage of what does not run is BOX_NOT_RUNNING", [], async () => {
    await expect(read("box_aaaaaaaaaaaa")).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
  });

  behaviour("usage shows CPU that a program takes, its process, and what it writes", ["linux"], async () => {
    const path = harness.newPath();
    const before = await read(harness.box);
    const sleeper = await harness.start(harness.box, ["sleep", "1000"]);
    await harness.sh(
      `dd if=/dev/urandom of=${path} bs=1M count=16 && sync; n=0; while [ $n -lt 3000 ]; do n=$((n+1)); done`,
    );
    const after = await read(harness.box);
    await sleeper.cancel();
    await collect(sleeper);
    expect(told(after).cpuMs - told(before).cpuMs).toBeGreaterThanOrEqual(50);
    expect(after.host.cpuMs - before.host.cpuMs).toBeGreaterThanOrEqual(50);
    expect(told(after).processes - told(before).processes).toBe(1);
    expect(told(after).diskBytes - told(before).diskBytes).toBeGreaterThanOrEqual(15 * 1024 * 1024);
    await harness.sh(`rm ${path}`);
  });

  behaviour("usage of a box that is frozen comes within 3 s, and says so", [], async () => {
    const box = await harness.anyBox();
    await options.freezeVm(box);
    const askedAtMs = performance.now();
    const { host, guest } = await read(box);
    expect(performance.now() - askedAtMs).toBeLessThan(3_000);
    await options.thawVm(box);
    expect(guest).toEqual({ state: "unreachable", why: expect.stringMatching(/./) });
    expect(host.residentBytes).toBeGreaterThan(0);
    harness.handOn(box);
  });
}
