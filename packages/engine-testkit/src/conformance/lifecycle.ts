import { BoxRunError } from "@boxrun/contract";
import type { BoxDeath } from "@boxrun/core";
import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { collect, execSpec, never, OutputReader } from "./harness.ts";

/** The port's own promise, for telling a death. */
const deathToldMs = 1_000;

export function lifecycleBehaviours({ behaviour, harness, options }: Suite): void {
  const expectNothingLeft = async (boxId: string) => {
    expect(await harness.engine.listBoxes()).not.toContain(boxId);
    expect(await options.hostResidue(boxId)).toEqual([]);
    const error = await harness.engine.exec(boxId, execSpec(["true"])).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: "BoxRunError",
      code: expect.stringMatching(/^(BOX_NOT_RUNNING|RUNTIME_ERROR)$/),
    });
  };

  behaviour(
    "it describes itself: accelerator, readiness, reason, and the capabilities that it was declared with",
    [],
    async () => {
      const description = await harness.engine.describe();
      expect(description).toMatchObject({
        ready: true,
        accelerator: expect.stringMatching(/./),
        why: expect.stringMatching(/./),
      });
      expect([...description.capabilities].toSorted()).toEqual([...options.capabilities].toSorted());
    },
  );

  behaviour(
    "create tells the engine's id before it resolves, and then the box takes commands at once",
    [],
    async () => {
      const spec = harness.spec();
      harness.removeAfterTest(spec.id);
      const ids: string[] = [];
      await harness.create(spec, { onEngineId: (id) => ids.push(id) });
      expect(ids).toEqual([expect.stringMatching(/./)]);
      expect((await harness.run(["echo", "up"], {}, spec.id)).stdout.toString()).toBe("up\n");
      expect(await harness.engine.listBoxes()).toContain(spec.id);
      harness.handOn(spec.id);
    },
  );

  behaviour("three boxes created at once all come up", [], async () => {
    const boxes = await Promise.all([1, 2, 3].map((number) => harness.freshBox({ hostname: `box-${number}` })));
    const names = await Promise.all(boxes.map((box) => harness.run(["hostname"], {}, box)));
    expect(names.map(({ stdout }) => stdout.toString())).toEqual(["box-1\n", "box-2\n", "box-3\n"]);
    harness.handOn(...boxes);
  });

  behaviour("start of a running box changes nothing", [], async () => {
    const exec = await harness.start(harness.box, ["cat"], { stdin: true });
    await harness.engine.start(harness.specOf(harness.box), { signal: never() });
    await exec.cancel();
    expect((await collect(exec)).exit.reason).toBe("canceled");
  });

  behaviour(
    "stop gives programs time to end, and start finds the disk as it was, without a sync by any",
    [],
    async () => {
      const box = await harness.anyBox();
      const [written, writtenInside, saved] = [harness.newPath(), harness.newPath(), harness.newPath()];
      await harness.write(written, "on the disk", box);
      await harness.sh(`echo more > ${writtenInside}`, box);
      // More than the 2 s that an older agent gives.
      const handler = `trap "sleep 3; echo saved > ${saved}; exit" TERM; echo ready; while :; do sleep 1; done`;
      const saving = options.realLinux ? await harness.start(box, ["sh", "-c", handler]) : undefined;
      if (saving !== undefined) await new OutputReader(saving).until("ready");
      expect(await harness.engine.stop(box, { graceMs: 30_000 })).toEqual({ killed: [], forced: false });
      const whileStopped = await harness.engine.exec(box, execSpec(["true"])).catch((error: unknown) => error);
      expect(whileStopped).toMatchObject({ code: "BOX_NOT_RUNNING" });
      expect(await harness.engine.listBoxes()).toContain(box);
      // Stopping what is stopped is a success.
      await harness.engine.stop(box);
      await harness.engine.start(harness.specOf(box), { signal: never() });
      expect((await harness.read(written, box)).toString()).toBe("on the disk");
      expect((await harness.read(writtenInside, box)).toString()).toBe("more\n");
      if (saving !== undefined) expect((await harness.read(saved, box)).toString()).toBe("saved\n");
      harness.handOn(box);
    },
  );

  behaviour("execs that run when their box is stopped or removed settle", [], async () => {
    const box = await harness.anyBox();
    for (const end of ["stop", "remove"] as const) {
      const exec = await harness.start(box, ["sh", "-c", "echo ready; sleep 86400"]);
      const reader = new OutputReader(exec);
      await reader.until("ready");
      const output = reader.next().catch((error: unknown) => error);
      const exit = exec.exit.catch((error: unknown) => error);
      await harness.engine[end](box);
      await output;
      const outcome = await exit;
      if (outcome instanceof BoxRunError) expect(outcome.code).toBe("RUNTIME_ERROR");
      else expect(outcome).toMatchObject({ code: expect.any(Number) });
      if (end === "stop") await harness.engine.start(harness.specOf(box), { signal: never() });
    }
  });

  behaviour("stop and remove are not told as deaths, and stop says who had to be killed", [], async () => {
    const deaths: BoxDeath[] = [];
    const off = harness.engine.onDeath((death) => deaths.push(death));
    const box = await harness.anyBox();
    const stubborn = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"];
    if (options.realLinux) await new OutputReader(await harness.start(box, stubborn)).until("ready");
    const { killed } = await harness.engine.stop(box, { graceMs: 0 });
    if (options.realLinux) expect(killed).toContainEqual({ pid: expect.any(Number), name: "sh" });
    await harness.engine.start(harness.specOf(box), { signal: never() });
    await harness.engine.remove(box);
    // A death that is told late would come while another box boots.
    const other = await harness.freshBox();
    off();
    expect(deaths).toEqual([]);
    harness.handOn(other);
  });

  behaviour(
    "a VM's death is told within a second, its execs fail, and start brings it back with its disk",
    [],
    async () => {
      const box = await harness.anyBox();
      const path = harness.newPath();
      await harness.write(path, "on the disk", box);
      await harness.run(["sync"], {}, box);
      const exec = await harness.start(box, ["sh", "-c", "echo ready; sleep 86400"]);
      const reader = new OutputReader(exec);
      await reader.until("ready");
      const output = reader.next().catch((error: unknown) => error);
      const exit = exec.exit.catch((error: unknown) => error);
      const death = Promise.withResolvers<BoxDeath & { readonly atMs: number }>();
      const unheard: BoxDeath[] = [];
      harness.engine.onDeath((told) => unheard.push(told))();
      const off = harness.engine.onDeath((told) => death.resolve({ ...told, atMs: performance.now() }));
      await options.killVm(box);
      const killedMs = performance.now();
      const told = await death.promise;
      off();
      // That listener had left before.
      expect(unheard).toEqual([]);
      expect(told).toMatchObject({ boxId: box, reason: expect.stringMatching(/./) });
      expect(told.atMs - killedMs).toBeLessThan(deathToldMs);
      expect(await output).toMatchObject({ code: "RUNTIME_ERROR" });
      expect(await exit).toMatchObject({ code: "RUNTIME_ERROR" });
      const late = await harness.engine.exec(box, execSpec(["true"])).catch((error: unknown) => error);
      expect(late).toMatchObject({ code: "BOX_NOT_RUNNING" });

      await harness.engine.start(harness.specOf(box), { signal: never() });
      expect((await harness.read(path, box)).toString()).toBe("on the disk");
      await options.killVm(box);
      await harness.engine.remove(box);
      await expectNothingLeft(box);
    },
  );

  behaviour("removal leaves no process, socket or file on the host, and is idempotent", [], async () => {
    const spec = harness.specOf(await harness.anyBox());
    expect(await options.hostResidue(spec.id)).not.toEqual([]);
    await Promise.all([harness.engine.remove(spec.id), harness.engine.remove(spec.id)]);
    await expectNothingLeft(spec.id);
    await harness.engine.remove(spec.id);
    // And the id is free again.
    await harness.create(spec);
    await harness.engine.stop(spec.id);
    await harness.engine.remove(spec.id);
    await expectNothingLeft(spec.id);
  });

  behaviour("a box that nobody knows can be stopped and removed, but not started", [], async () => {
    const spec = harness.spec();
    await harness.engine.stop(spec.id);
    await harness.engine.remove(spec.id);
    await expect(harness.engine.start(spec, { signal: never() })).rejects.toMatchObject({ name: "BoxRunError" });
    await expect(harness.list("/", spec.id)).rejects.toMatchObject({ name: "BoxRunError" });
    await expectNothingLeft(spec.id);
  });

  behaviour("a create that was given up before it began leaves nothing", [], async () => {
    const spec = harness.spec();
    harness.removeAfterTest(spec.id);
    await expect(harness.create(spec, { signal: AbortSignal.abort() })).rejects.toThrow();
    await expectNothingLeft(spec.id);
  });

  behaviour("a create that is given up in the middle rejects and leaves nothing", [], async () => {
    const spec = harness.spec();
    harness.removeAfterTest(spec.id);
    const controller = new AbortController();
    await expect(
      harness.create(spec, { signal: controller.signal, onEngineId: () => controller.abort() }),
    ).rejects.toMatchObject({
      name: "BoxRunError",
    });
    await expectNothingLeft(spec.id);
  });

  behaviour("a create that is given up while it boots leaves nothing, at whatever moment", ["linux"], async () => {
    for (const afterMs of [20, 100, 400, 1_200]) {
      const spec = harness.spec();
      harness.removeAfterTest(spec.id);
      const creating = harness.create(spec, { signal: AbortSignal.timeout(afterMs) });
      const outcome = await creating.then(
        () => "up",
        (error: unknown) => error,
      );
      // A fast engine was done before.
      if (outcome === "up") await harness.engine.remove(spec.id);
      else expect(outcome).toMatchObject({ name: "BoxRunError" });
      await expectNothingLeft(spec.id);
    }
  });

  behaviour("a start that is given up leaves the box stopped, and the next start finds its disk", [], async () => {
    const box = await harness.anyBox();
    const path = harness.newPath();
    await harness.write(path, "on the disk", box);
    await harness.engine.stop(box);
    const controller = new AbortController();
    const starting = harness.engine.start(harness.specOf(box), { signal: controller.signal });
    controller.abort();
    await expect(starting).rejects.toMatchObject({ name: "BoxRunError" });
    const error = await harness.engine.exec(box, execSpec(["true"])).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "BOX_NOT_RUNNING" });
    await harness.engine.start(harness.specOf(box), { signal: never() });
    expect((await harness.read(path, box)).toString()).toBe("on the disk");
    harness.handOn(box);
  });

  behaviour(
    "starts, stops and removals of one box at once all settle, and what is left can be removed",
    [],
    async () => {
      const box = await harness.anyBox();
      const spec = harness.specOf(box);
      const { engine } = harness;
      await Promise.allSettled([
        engine.stop(box),
        engine.start(spec, { signal: never() }),
        engine.stop(box),
        engine.start(spec, { signal: never() }),
      ]);
      await engine.start(spec, { signal: never() });
      expect(await harness.sh("echo consistent", box)).toBe("consistent");
      await Promise.allSettled([
        engine.start(spec, { signal: never() }),
        engine.remove(box),
        engine.stop(box),
        engine.remove(box),
      ]);
      await engine.remove(box);
      await expectNothingLeft(box);
    },
  );

  behaviour("a box that is removed or stopped while it is created leaves nothing once it is removed", [], async () => {
    for (const also of ["remove", "stop"] as const) {
      const spec = harness.spec();
      harness.removeAfterTest(spec.id);
      const known = Promise.withResolvers<void>();
      const creating = harness.create(spec, { onEngineId: () => known.resolve() });
      await known.promise;
      await Promise.allSettled([harness.engine[also](spec.id), creating]);
      await harness.engine.remove(spec.id);
      await expectNothingLeft(spec.id);
    }
  });
}
