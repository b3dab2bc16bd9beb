import { createMemoryEngine } from "@boxrun/engine-testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { CoreHarness } from "./support/core.ts";

let harness: CoreHarness;
beforeEach(async () => {
  harness = await CoreHarness.open({ maxMemoryMb: 1_000_000 });
});
afterEach(() => harness[Symbol.asyncDispose]());

it("asks for a bounded number of VMs at a time, and counts what all of them hold from the first moment on", async () => {
  const { id } = await harness.create({ cpu: 1, memory_mb: 100 });
  const record = harness.store.boxes.get(id);
  if (record === undefined) throw new Error("the box has no row");
  for (let n = 0; n < 99; n++) harness.store.boxes.insert({ ...record, id: `box_${n}`, name: null });
  const chosen = createMemoryEngine({ host: harness.host });
  const hold = chosen.controls.hold("adopt");
  const recovered = harness.restart({ chosen });
  await hold.reached;
  for (let turns = 0; turns < 20; turns++) await new Promise<void>((resolve) => setImmediate(resolve));
  expect(chosen.controls.calls("adopt")).toBe(32);
  expect(await harness.core.info()).toMatchObject({ used_cpu: 100, used_memory_mb: 10_000 });
  hold.release();
  await recovered;
  expect(chosen.controls.calls("adopt")).toBe(100);
  expect(await harness.core.info()).toMatchObject({ used_cpu: 1, boxes: { running: 1, error: 99 } });
});
