import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

const module = new URL("../src/interrupts.ts", import.meta.url);

/** A command that hangs for ever, whatever it is told: how it ends, and what it says. */
async function hangs(signals: readonly NodeJS.Signals[], options: string): Promise<[number | null, string]> {
  const source = `
    import { listenForInterrupts } from ${JSON.stringify(module.href)};
    const interrupts = listenForInterrupts(${options});
    interrupts.signal.addEventListener("abort", () => console.log("interrupted"));
    setInterval(() => undefined, 60_000);
    console.log("ready");`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  const ended = once(child, "close");
  for (const [index, signal] of signals.entries()) {
    const words = index + 1;
    while (said.split("\n").length <= words) said += String((await once(child.stdout, "data"))[0]);
    child.kill(signal);
  }
  child.stdout.on("data", (text: Buffer) => (said += text.toString()));
  await ended;
  return [child.exitCode, said];
}

test("a command that does not end tidily in time says so and goes, with the signal's exit code", async () => {
  expect(await hangs(["SIGTERM"], '() => console.log("late"), 20')).toEqual([143, "ready\ninterrupted\nlate\n"]);
});

test("a second signal ends it at once", async () => {
  expect(await hangs(["SIGINT", "SIGINT"], "() => undefined, 600_000")).toEqual([130, "ready\ninterrupted\n"]);
});
