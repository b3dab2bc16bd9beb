import { setImmediate as nextTurn } from "node:timers/promises";
import type { Program } from "@boxrun/engine-testkit";

/** `count N`: N numbered lines, some on each stream, with pauses. */
const count: Program = async ({ argv, stdout, stderr }) => {
  const lines = Number(argv[1]);
  for (let line = 0; line < lines; line += 1) {
    await (line % 3 === 2 ? stderr : stdout)(`${line}\n`);
    if (line % 4 === 3) await nextTurn();
  }
  return 0;
};

export const programs: Readonly<Record<string, Program>> = { count };

/** What `count N` writes. */
export function counted(lines: number): { stdout: string; stderr: string } {
  const output = { stdout: "", stderr: "" };
  for (let line = 0; line < lines; line += 1) output[line % 3 === 2 ? "stderr" : "stdout"] += `${line}\n`;
  return output;
}
