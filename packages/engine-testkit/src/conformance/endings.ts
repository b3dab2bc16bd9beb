import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { collect, eventually, OutputReader } from "./harness.ts";

/** SIGTERM, 5 s, SIGKILL, and a slow machine. */
const goneMs = 30_000;

export function endingBehaviours({ behaviour, harness }: Suite): void {
  /** Whether a process whose command line holds this runs in the shared box, seen from inside. */
  const isAlive = async (marker: string): Promise<boolean> => {
    const all = await harness.sh('for f in /proc/[0-9]*/cmdline; do tr "\\0" " " < $f 2>/dev/null; echo; done');
    return all.split("\n").some((line) => line.includes(marker) && !line.includes("for f in"));
  };

  behaviour("a timeout ends the program and says so", [], async () => {
    const startedMs = performance.now();
    const { exit } = await harness.run(["sleep", "86400"], { timeoutMs: 500 });
    expect(exit.reason).toBe("timeout");
    expect(exit.code).toBeGreaterThan(128);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(400);
  });

  behaviour("a program that ends before its timeout is none of the timeout's business", [], async () => {
    expect((await harness.run(["sh", "-c", "exit 3"], { timeoutMs: 60_000 })).exit).toMatchObject({
      code: 3,
      reason: "exited",
    });
  });

  behaviour("output from before a timeout is kept", [], async () => {
    const { exit, stdout } = await harness.run(["sh", "-c", "echo before; sleep 86400"], { timeoutMs: 2_000 });
    expect(exit.reason).toBe("timeout");
    expect(stdout.toString()).toBe("before\n");
  });

  behaviour("a timeout kills the whole process group", ["linux"], async () => {
    const { exit } = await harness.run(["sh", "-c", "sleep 86421 & sleep 86422 & wait"], { timeoutMs: 1_000 });
    expect(exit.reason).toBe("timeout");
    await eventually("the children are gone", goneMs, async () => !(await isAlive("sleep 8642")));
  });

  behaviour("cancel ends the program and says so", [], async () => {
    const exec = await harness.start(harness.box, ["sleep", "86400"]);
    await exec.cancel();
    const { exit } = await collect(exec);
    expect(exit.reason).toBe("canceled");
  });

  behaviour("cancel lets the program clean up, and keeps what it says meanwhile", ["linux"], async () => {
    const script = "trap 'echo cleaned; exit 5' TERM; echo ready; while :; do sleep 0.1; done";
    const exec = await harness.start(harness.box, ["sh", "-c", script]);
    const reader = new OutputReader(exec);
    await reader.until("ready");
    await exec.cancel();
    while (await reader.next());
    expect(reader.bytes("stdout").toString()).toBe("ready\ncleaned\n");
    expect(await exec.exit).toMatchObject({ reason: "canceled" });
  });

  behaviour("cancel kills what ignores SIGTERM 5 s later, with all that it started", ["linux"], async () => {
    const script = "trap '' TERM; sleep 86431 & setsid sleep 86432 & echo ready; while :; do sleep 1; done";
    const exec = await harness.start(harness.box, ["sh", "-c", script]);
    const reader = new OutputReader(exec);
    await reader.until("ready");
    await eventually("the children run", goneMs, () => isAlive("sleep 86432"));
    let ended = false;
    exec.exit.finally(() => {
      ended = true;
    });
    const canceledMs = performance.now();
    await exec.cancel();
    expect(ended).toBe(false);
    while (await reader.next());
    const exit = await exec.exit;
    const tookMs = performance.now() - canceledMs;
    expect(exit).toMatchObject({ code: 137, reason: "canceled" });
    expect(tookMs).toBeGreaterThan(4_000);
    await eventually("everything that it started is gone", goneMs, async () => !(await isAlive("sleep 8643")));
  });

  behaviour("cancel of one program leaves the others alone", [], async () => {
    const [first, second] = await Promise.all([
      harness.start(harness.box, ["sleep", "86400"]),
      harness.start(harness.box, ["sh", "-c", "sleep 1; echo alive"]),
    ]);
    await first.cancel();
    expect((await collect(first)).exit.reason).toBe("canceled");
    expect((await collect(second)).stdout.toString()).toBe("alive\n");
  });

  behaviour("cancel twice is the same as once", [], async () => {
    const exec = await harness.start(harness.box, ["sleep", "86400"]);
    await Promise.all([exec.cancel(), exec.cancel()]);
    expect((await collect(exec)).exit.reason).toBe("canceled");
    // Late, too.
    await exec.cancel();
  });

  for (const [name, code] of [
    ["SIGKILL", 137],
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    behaviour(`${name} sent from outside ends a program with ${code}`, [], async () => {
      const exec = await harness.start(harness.box, ["sleep", "86400"]);
      await exec.signal(name);
      expect((await collect(exec)).exit).toMatchObject({ code, reason: "signaled" });
    });
  }

  behaviour("a program may handle a signal and go on", ["linux"], async () => {
    const script = "trap 'echo got USR1' USR1; trap 'exit 4' USR2; echo ready; while :; do sleep 0.1; done";
    const exec = await harness.start(harness.box, ["sh", "-c", script]);
    const reader = new OutputReader(exec);
    await reader.until("ready");
    await exec.signal("SIGUSR1");
    await reader.until("got USR1");
    await exec.signal("SIGUSR2");
    while (await reader.next());
    expect(await exec.exit).toMatchObject({ code: 4, reason: "exited" });
  });

  behaviour("a signal reaches the whole process group", ["linux"], async () => {
    const exec = await harness.start(harness.box, ["sh", "-c", "sleep 86441 & echo ready; wait"]);
    const reader = new OutputReader(exec);
    await reader.until("ready");
    await eventually("the child runs", goneMs, () => isAlive("sleep 86441"));
    await exec.signal("SIGTERM");
    while (await reader.next());
    await exec.exit;
    await eventually("the child is gone", goneMs, async () => !(await isAlive("sleep 86441")));
  });

  behaviour("a signal to a program that has ended rejects with EXEC_ALREADY_FINISHED", [], async () => {
    const exec = await harness.start(harness.box, ["true"]);
    await collect(exec);
    await expect(exec.signal("SIGTERM")).rejects.toMatchObject({ code: "EXEC_ALREADY_FINISHED" });
  });
}
