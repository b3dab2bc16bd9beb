/** `shell-1`, or the first number that no session has. */
export function freeSessionName(taken: readonly string[]): string {
  for (let number = 1; ; number += 1) {
    const name = `shell-${number}`;
    if (!taken.includes(name)) return name;
  }
}
