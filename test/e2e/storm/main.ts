/**
 * `npm run test:storm`: random histories over real VMs, one behind the other, until the time is up or one breaks a promise.
 *
 *   npm run test:storm -- --minutes 30        how long; default 10
 *   npm run test:storm -- --seed 7            the first history's seed, which is printed; the next has the next one
 *   npm run test:storm -- --steps 60          how much happens in each; default 40
 *   npm run test:storm -- --boxes 5           how many boxes there are at most; default 3
 */
import { commandLine } from "@boxrun/host";
import { playStorm } from "./storm.ts";

const { values, refuse } = commandLine(import.meta.url, {
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 100_000) },
    steps: { type: "string", default: "40" },
    boxes: { type: "string", default: "3" },
  },
});
for (const [name, value] of Object.entries(values)) {
  if (typeof value === "string" && !/^\d+$/.test(value))
    refuse(`--${name} is a whole number, and not ${JSON.stringify(value)}`);
}
const abort = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => abort.abort());
const say = (line: string) => process.stdout.write(`${line}\n`);
const { signal } = abort;
const endAtMs = Date.now() + Number(values.minutes) * 60_000;

for (let seed = Number(values.seed); Date.now() < endAtMs; seed++) {
  say(`history ${seed}`);
  const beganAtMs = Date.now();
  const tell = (what: string) => say(`  ${((Date.now() - beganAtMs) / 1000).toFixed(1).padStart(6)} s  ${what}`);
  const found = await playStorm({
    seed,
    steps: Number(values.steps),
    maxBoxes: Number(values.boxes),
    say: tell,
    signal,
  });
  for (const violation of found) say(`  WRONG: ${violation}`);
  if (found.length > 0) {
    process.exitCode = 1;
    break;
  }
}
