import { expect, it } from "vitest";
import { playStorm } from "./storm/storm.ts";

const seed = Number(process.env.BOXRUN_STORM_SEED ?? Date.now() % 100_000);
/** `npm run test:storm` plays longer ones, for as long as you like. */
const steps = 10;

it(`keeps every promise over a short storm of kills, freezes and full disks (BOXRUN_STORM_SEED=${seed})`, async () => {
  const happened: string[] = [];
  const found = await playStorm({ seed, steps, maxBoxes: 2, say: (what) => happened.push(what) });
  expect(found, happened.join("\n")).toEqual([]);
}, 600_000);
