/**
 * A minute of steps: an agent that thinks between two commands is back before, and what a box has written is on its disk by then, for its kernel writes out what
 * is older than half a minute.
 */
const quietSteps = 6;

/** Tells once, behind each time that a box has done something, that it has done nothing since for a while. */
export class Quiet {
  /** Of what was before the first step nobody knows. */
  #hasWorked = true;
  #stillSteps = 0;
  #isFirstAfter = false;

  /** `isIdle`: it has done nothing in the step that ends now. */
  step(isIdle: boolean): boolean {
    // What it does then it was told to do: that is no reason to tell it again.
    const counts = !this.#isFirstAfter;
    this.#isFirstAfter = false;
    this.#stillSteps = isIdle ? this.#stillSteps + 1 : 0;
    if (!isIdle && counts) this.#hasWorked = true;
    if (!this.#hasWorked || this.#stillSteps < quietSteps) return false;
    this.#hasWorked = false;
    this.#isFirstAfter = true;
    return true;
  }
}
