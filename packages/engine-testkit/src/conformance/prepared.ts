import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { execSpec, never } from "./harness.ts";

export function preparedBehaviours({ behaviour, harness, options }: Suite): void {
  const prepared = async (onEnd = () => undefined) => {
    const spec = harness.spec({ hostname: "prepared", workdir: "/", note: "of nobody" });
    harness.removeAfterTest(spec.id);
    await harness.engine.prepare?.(spec, { signal: never(), onEnd });
    return spec;
  };

  behaviour("a prepared box is nobody's, and takes no execs", ["prepared-boxes"], async () => {
    const { id } = await prepared();
    expect(await harness.engine.listBoxes()).toContain(id);
    expect(await harness.engine.recall(id)).toBe("of nobody");
    await expect(harness.engine.exec(id, execSpec(["true"]))).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
    await harness.engine.remove(id);
    expect(await harness.engine.listBoxes()).not.toContain(id);
    expect(await options.hostResidue(id)).toEqual([]);
  });

  behaviour("a create with its id makes a prepared box the one that is asked for", ["prepared-boxes"], async () => {
    const before = await prepared();
    const deaths: string[] = [];
    const off = harness.engine.onDeath(({ boxId }) => deaths.push(boxId));
    const spec = { ...before, hostname: "somebody", workdir: "/srv/own", note: "of somebody" };
    await harness.create(spec);
    expect(await harness.engine.recall(spec.id)).toBe("of somebody");
    expect(await harness.sh("cat /etc/hostname", spec.id)).toBe("somebody");
    expect((await harness.run(["pwd"], { workdir: "/srv/own" }, spec.id)).stdout.toString()).toBe("/srv/own\n");
    await harness.engine.stop(spec.id);
    await harness.engine.start(spec, { signal: never() });
    expect(await harness.sh("cat /etc/hostname", spec.id)).toBe("somebody");
    off();
    expect(deaths).toEqual([]);
    harness.handOn(spec.id);
  });

  behaviour("what was prepared as another size is made anew", ["prepared-boxes"], async () => {
    const before = await prepared();
    await harness.create({ ...before, hostname: "larger", diskSizeGb: before.diskSizeGb + 1 });
    expect(await harness.sh("cat /etc/hostname", before.id)).toBe("larger");
    harness.handOn(before.id);
  });

  behaviour("the end of a prepared VM is told once nothing is left of it", ["prepared-boxes"], async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { id } = await prepared(() => {
      resolve(undefined);
      return undefined;
    });
    await options.killVm(id);
    await promise;
    expect(await harness.engine.listBoxes()).not.toContain(id);
    expect(await options.hostResidue(id)).toEqual([]);
  });

  behaviour("preparing that is given up leaves nothing", ["prepared-boxes"], async () => {
    const spec = harness.spec();
    harness.removeAfterTest(spec.id);
    const caller = new AbortController();
    const preparing = harness.engine.prepare?.(spec, { signal: caller.signal, onEnd: () => undefined });
    caller.abort();
    await expect(preparing).rejects.toMatchObject({ code: "CANCELED" });
    expect(await harness.engine.listBoxes()).not.toContain(spec.id);
    expect(await options.hostResidue(spec.id)).toEqual([]);
  });
}
