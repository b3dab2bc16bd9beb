import { expect, it } from "vitest";
import { playHistory } from "./support/faults/history.ts";

/** `BOXRUN_FAULT_SEED=n BOXRUN_FAULT_HISTORIES=1` plays the one that failed again; the nightly run plays many more. */
const firstSeed = Number(process.env.BOXRUN_FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31));
const histories = Number(process.env.BOXRUN_FAULT_HISTORIES ?? 200);
/** Most of a history is waiting. */
const atOnce = 16;

it(`leaves nothing behind and forgets nothing, whatever fails when (BOXRUN_FAULT_SEED=${firstSeed})`, async () => {
  const failures: string[] = [];
  let next = firstSeed;
  const player = async () => {
    while (next < firstSeed + histories && failures.length < 3) {
      const seed = next++;
      const found = await playHistory(seed);
      if (found.length > 0)
        failures.push(`BOXRUN_FAULT_SEED=${seed} BOXRUN_FAULT_HISTORIES=1:\n  ${found.join("\n  ")}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, player));
  expect(failures.join("\n")).toBe("");
});
