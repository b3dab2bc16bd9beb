import { afterAll, expect, test } from "vitest";
import { boxSpec, clockIsRight, create, never, sh } from "./support/boxes.ts";
import { openTestHost } from "./support/host.ts";
import { roundLimitMs, rounds } from "./support/rounds.ts";

const host = await openTestHost();
afterAll(() => host[Symbol.asyncDispose]());

/** What no two boxes may have in common. */
const own = {
  boot_id: "cat /proc/sys/kernel/random/boot_id",
  machine_id: "cat /etc/machine-id",
  hostname: "hostname",
  urandom: "head -c 32 /dev/urandom | sha256sum",
  MAC: "cat /sys/class/net/eth0/address",
};

const boxes = rounds(6);

test(`${boxes} boxes of one shape, every second of them prepared before, have nothing in common that is each box's own, and the right time`, {
  timeout: boxes * roundLimitMs,
}, async () => {
  const engine = host.makeEngine();
  const seen = new Map(Object.keys(own).map((name) => [name, new Set<string>()]));
  for (let nth = 1; nth <= boxes; nth++) {
    const spec = boxSpec(host, { hostname: `box-${nth}`, network: true });
    if (nth % 2 === 0) {
      const prepared = { ...spec, hostname: "prepared", workdir: "/" };
      await engine.prepare?.(prepared, { signal: never(), onEnd: () => undefined });
    }
    await create(engine, spec);
    const { stdout } = await sh(engine, spec.id, Object.values(own).join("; "));
    const values = stdout.trim().split("\n");
    for (const [index, name] of Object.keys(own).entries()) {
      expect(values[index], name).toMatch(/[0-9a-f]/);
      seen.get(name)?.add(values[index] ?? "");
    }
    expect(values).toContain(spec.hostname);
    await expect.poll(() => clockIsRight(engine, spec.id), { timeout: 60_000 }).toBe(true);
    await engine.remove(spec.id);
  }
  expect(Object.fromEntries([...seen].map(([name, values]) => [name, values.size]))).toEqual(
    Object.fromEntries(Object.keys(own).map((name) => [name, boxes])),
  );
  await engine.close();
});
