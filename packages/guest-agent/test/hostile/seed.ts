/** The seed of this run, printed so that it can be run again with BOXRUN_FUZZ_SEED. */
export function runSeed(): number {
  const given = process.env.BOXRUN_FUZZ_SEED;
  return given === undefined ? Date.now() % 2 ** 31 : Number(given);
}
