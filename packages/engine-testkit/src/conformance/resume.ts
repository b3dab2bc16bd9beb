import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { collect, eventually, execSpec, never, newId, OutputReader, type } from "./harness.ts";

const start = { stdout: 0, stderr: 0 };

/** What a restarted server finds. Each restart here is `close()` and a new engine over the same state. */
export function resumeBehaviours({ behaviour, harness, options }: Suite): void {
  const resume = async (execId: string, from = start) => {
    const exec = await harness.engine.resumeExec(harness.box, execId, from);
    if (exec === undefined) throw new Error(`${execId} was not found after the restart`);
    return exec;
  };

  behaviour("close leaves boxes running, and the next engine takes them over", [], async () => {
    await harness.write("/root/before-restart", "still here");
    await harness.engine.close();
    await harness.restart();
    expect(await harness.engine.listBoxes()).toContain(harness.box);
    expect(await harness.engine.recall(harness.box)).toBe(harness.note);
    expect(await harness.engine.adopt(harness.specOf(harness.box), { signal: never() })).toEqual({ state: "running" });
    expect((await harness.read("/root/before-restart")).toString()).toBe("still here");
  });

  behaviour("close ends the readers of execs, by an end or an error, and does not end the execs", [], async () => {
    const exec = await harness.start(harness.box, ["cat"], { stdin: true });
    const reading = new OutputReader(exec).next().catch((error: unknown) => error);
    const exit = exec.exit.catch((error: unknown) => error);
    await harness.restart();
    expect(await reading).not.toBe(true);
    await exit;
  });

  behaviour("a box that is nowhere is missing", [], async () => {
    const spec = harness.spec();
    expect(await harness.engine.adopt(spec, { signal: never() })).toEqual({ state: "missing" });
    expect(await harness.engine.recall(spec.id)).toBeUndefined();
  });

  behaviour("an exec that nobody knows is undefined", ["exec-resume"], async () => {
    expect(await harness.engine.resumeExec(harness.box, newId("exec"), start)).toBeUndefined();
  });

  behaviour("without the capability no exec is resumed", [], async () => {
    if (options.capabilities.includes("exec-resume")) {
      expect((await harness.engine.describe()).capabilities).toContain("exec-resume");
      return;
    }
    const spec = execSpec(["sleep", "1"]);
    await harness.engine.exec(harness.box, spec);
    await harness.restart();
    expect(await harness.engine.resumeExec(harness.box, spec.id, start)).toBeUndefined();
  });

  behaviour("a program goes on: every byte once and in order, and the real exit code", ["exec-resume"], async () => {
    const path = harness.newPath();
    // More than is kept while nobody reads it.
    const bytes = randomBytes(3 * 1024 * 1024);
    await harness.write(path, bytes);
    const spec = execSpec(["sh", "-c", `cat ${path}; echo problem >&2; exit 7`]);
    const reader = new OutputReader(await harness.engine.exec(harness.box, spec));
    for (let chunk = 0; chunk < 5; chunk += 1) expect(await reader.next()).toBe(true);
    const stored = reader.offsets;
    reader.acknowledge();
    // Read, but not stored: the next server has to get these again.
    await reader.next();
    await harness.restart();
    const rest = await collect(await resume(spec.id, stored), stored);
    const all = Buffer.concat([reader.bytes("stdout").subarray(0, stored.stdout), rest.stdout]);
    expect(all.equals(bytes)).toBe(true);
    expect(rest.stderr.toString()).toBe("problem\n");
    expect(rest.exit).toMatchObject({ code: 7, reason: "exited" });
  });

  behaviour(
    "a program that ended while no server was there has left its output and exit code",
    ["exec-resume"],
    async () => {
      const spec = execSpec(["sh", "-c", "cat; echo late >&2; exit 3"], { stdin: true });
      const exec = await harness.engine.exec(harness.box, spec);
      await type(exec, "typed before", { eof: true });
      await harness.restart();
      const { exit, stdout, stderr } = await collect(await resume(spec.id));
      expect([stdout.toString(), stderr.toString()]).toEqual(["typed before", "late\n"]);
      expect(exit).toMatchObject({ code: 3, reason: "exited" });
    },
  );

  behaviour("it can be resumed in the middle of a line, any number of times", ["exec-resume"], async () => {
    const spec = execSpec(["printf", "0123456789"]);
    const exec = await harness.engine.exec(harness.box, spec);
    const first = new OutputReader(exec);
    while (await first.next());
    for (const offset of [3, 7, 10]) {
      await harness.restart();
      const from = { stdout: offset, stderr: 0 };
      const { exit, stdout } = await collect(await resume(spec.id, from), from);
      expect(stdout.toString()).toBe("0123456789".slice(offset));
      expect(exit.code).toBe(0);
    }
  });

  behaviour("a resumed exec takes input, signals and cancel", ["exec-resume"], async () => {
    const [reading, sleeping, canceled] = [
      execSpec(["cat"], { stdin: true }),
      execSpec(["sleep", "86400"]),
      execSpec(["sleep", "86400"]),
    ];
    for (const spec of [reading, sleeping, canceled]) await harness.engine.exec(harness.box, spec);
    await harness.restart();
    const cat = await resume(reading.id);
    await type(cat, "after the restart", { eof: true });
    expect((await collect(cat)).stdout.toString()).toBe("after the restart");
    const asleep = await resume(sleeping.id);
    await asleep.signal("SIGKILL");
    expect((await collect(asleep)).exit).toMatchObject({ code: 137, reason: "signaled" });
    const given = await resume(canceled.id);
    await given.cancel();
    expect((await collect(given)).exit.reason).toBe("canceled");
  });

  behaviour("a timeout counts on while no server is there", ["exec-resume"], async () => {
    const spec = execSpec(["sleep", "86400"], { timeoutMs: 700 });
    await harness.engine.exec(harness.box, spec);
    await harness.restart();
    expect((await collect(await resume(spec.id))).exit.reason).toBe("timeout");
  });

  behaviour("the same exec id after a restart starts nothing", ["exec-resume"], async () => {
    const path = harness.newPath();
    const spec = execSpec(["sh", "-c", `echo run >> ${path}; cat`], { stdin: true });
    await harness.engine.exec(harness.box, spec);
    await harness.restart();
    const again = await harness.engine.exec(harness.box, spec);
    await type(again, "", { eof: true });
    expect((await collect(again)).exit.code).toBe(0);
    expect((await harness.read(path)).toString()).toBe("run\n");
  });

  behaviour("an exec that was forgotten is not resumed", ["exec-resume"], async () => {
    const spec = execSpec(["true"]);
    const exec = await harness.engine.exec(harness.box, spec);
    await collect(exec);
    await exec.forget();
    await harness.restart();
    expect(await harness.engine.resumeExec(harness.box, spec.id, start)).toBeUndefined();
  });

  behaviour("a box whose VM died while no server was there is dead, and starts again with its disk", [], async () => {
    const box = await harness.anyBox();
    const path = harness.newPath();
    await harness.write(path, "on the disk", box);
    await harness.sh("sync; true", box).catch(() => "");
    await harness.restart(() => options.killVm(box));
    expect(await harness.engine.adopt(harness.specOf(box), { signal: never() })).toEqual({ state: "dead" });
    await harness.engine.start(harness.specOf(box), { signal: new AbortController().signal });
    expect((await harness.read(path, box)).toString()).toBe("on the disk");
    harness.handOn(box);
  });

  behaviour(
    "a VM that is frozen when the server changes is unreachable and not dead; it is taken over with its execs when it thaws",
    ["exec-resume"],
    async () => {
      const box = await harness.anyBox();
      const spec = execSpec(["sh", "-c", "seq 10000; cat; exit 7"], { stdin: true });
      const first = new OutputReader(await harness.engine.exec(box, spec));
      await first.next();
      await harness.restart(() => options.freezeVm(box));
      expect(harness.adoption(box)).toEqual({ state: "unreachable", why: expect.stringMatching(/./) });
      await options.thawVm(box);
      await eventually("the box is taken over", 60_000, async () => {
        const { state } = await harness.engine.adopt(harness.specOf(box), { signal: never() });
        return state === "running";
      });
      const exec = await harness.engine.resumeExec(box, spec.id, start);
      if (exec === undefined) throw new Error("the exec was lost");
      await type(exec, "still here", { eof: true });
      const { exit, stdout } = await collect(exec);
      const numbers = Array.from({ length: 10_000 }, (_, n) => `${n + 1}\n`).join("");
      expect(stdout.toString()).toBe(`${numbers}still here`);
      expect(exit).toMatchObject({ code: 7, reason: "exited" });
      harness.handOn(box);
    },
  );

  behaviour("a frozen VM that was not taken over is stopped all the same, and its disk is flushed", [], async () => {
    const box = await harness.anyBox();
    const path = harness.newPath();
    await harness.write(path, "on the disk", box);
    await harness.restart(() => options.freezeVm(box));
    expect(harness.adoption(box)?.state).toBe("unreachable");
    await harness.engine.stop(box);
    // A VM in memory has nothing that wakes up by being stopped.
    await options.thawVm(box).catch(() => undefined);
    await harness.engine.start(harness.specOf(box), { signal: never() });
    expect((await harness.read(path, box)).toString()).toBe("on the disk");
    harness.handOn(box);
  });

  behaviour("the death of a box that was taken over is told", [], async () => {
    const box = await harness.anyBox();
    await harness.restart();
    const death = new Promise<string>((resolve) => {
      const off = harness.engine.onDeath(({ boxId }) => {
        off();
        resolve(boxId);
      });
    });
    await options.killVm(box);
    expect(await death).toBe(box);
  });
}
