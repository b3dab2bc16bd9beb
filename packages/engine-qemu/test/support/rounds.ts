/** How often a test does what must hold every time: a few times every day, and as often as `BOXRUN_TEST_ROUNDS` says when somebody wants to know. */
export function rounds(everyDay: number): number {
  return Number(process.env.BOXRUN_TEST_ROUNDS ?? everyDay);
}

/** More than a round takes on a host that has no time. */
export const roundLimitMs = 120_000;
