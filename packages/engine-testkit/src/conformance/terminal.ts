import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { collect, never, OutputReader, type } from "./harness.ts";

export function terminalBehaviours({ behaviour, harness }: Suite): void {
  const tty = { cols: 97, rows: 31 };

  behaviour("a program asked to have a terminal has one, of the size asked for", ["tty", "linux"], async () => {
    const { exit, stdout } = await harness.run(["sh", "-c", "test -t 0 && test -t 1 && test -t 2 && stty size"], {
      tty,
    });
    expect(exit.code).toBe(0);
    expect(stdout.toString().trim()).toBe("31 97");
  });

  behaviour("a program not asked to have one has none", ["linux"], async () => {
    expect((await harness.run(["sh", "-c", "test -t 0 || test -t 1 || test -t 2"])).exit.code).toBe(1);
  });

  behaviour("with a terminal all output is standard output, and TERM is set", ["tty"], async () => {
    const { stdout, stderr } = await harness.run(["sh", "-c", 'echo "term $TERM"; echo problem >&2'], { tty });
    expect(stdout.toString()).toMatch(/term \S+/);
    expect(stdout.toString()).toContain("problem");
    expect(stderr).toHaveLength(0);
  });

  behaviour("a change of size reaches the program", ["tty", "linux"], async () => {
    const script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done";
    const exec = await harness.start(harness.box, ["sh", "-c", script], { tty });
    const reader = new OutputReader(exec);
    await reader.until("ready");
    await exec.resize({ cols: 132, rows: 50 });
    await reader.until("50 132");
    await exec.cancel();
    while (await reader.next());
  });

  behaviour("Ctrl-C typed into a terminal interrupts the program in front", ["tty"], async () => {
    // No shell: one that gets the signal just before it starts its next command may miss it.
    const exec = await harness.start(harness.box, ["sleep", "86400"], { tty, stdin: true });
    const reader = new OutputReader(exec);
    await type(exec, "\x03", { eof: false });
    while (await reader.next());
    expect(await exec.exit).toMatchObject({ code: 130, reason: "signaled" });
  });

  behaviour("a shell in a terminal reads what is typed and echoes it", ["tty", "linux"], async () => {
    const exec = await harness.start(harness.box, ["sh"], { tty, stdin: true });
    const reader = new OutputReader(exec);
    await type(exec, "echo $((20+22)) typed\n", { eof: false });
    expect(await reader.until("42 typed")).toContain("echo $((20+22)) typed");
    await type(exec, "exit 6\n", { eof: false });
    while (await reader.next());
    expect(await exec.exit).toMatchObject({ code: 6, reason: "exited" });
  });

  behaviour("a backspace takes back a whole character of the line", ["tty", "linux"], async () => {
    const exec = await harness.start(harness.box, ["sh", "-c", "read -r line; echo read:$line"], { tty, stdin: true });
    const reader = new OutputReader(exec);
    await type(exec, "gü\x7fo\n", { eof: false });
    await reader.until("read:go\r\n");
  });

  behaviour(
    "a shell that somebody types into ends with the stop of its box, and need not be killed",
    ["tty", "linux"],
    async () => {
      const box = await harness.anyBox();
      const exec = await harness.start(box, ["sh"], { tty, stdin: true });
      const ended = exec.exit.catch(() => undefined);
      const reader = new OutputReader(exec);
      await type(exec, "echo $((20+22)) typed\n", { eof: false });
      await reader.until("42 typed");
      expect(await harness.engine.stop(box, { graceMs: 30_000 })).toEqual({ killed: [], forced: false });
      await ended;
      await harness.engine.start(harness.specOf(box), { signal: never() });
      harness.handOn(box);
    },
  );

  behaviour("a program that ends gives all that it wrote to its terminal", ["tty"], async () => {
    const exec = await harness.start(harness.box, ["seq", "1", "20000"], { tty });
    const lines = (await collect(exec)).stdout.toString().replaceAll("\r", "").trimEnd().split("\n");
    expect(lines).toHaveLength(20_000);
    expect(lines.at(-1)).toBe("20000");
  });
}
