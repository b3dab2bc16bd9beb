import { expect } from "vitest";
import type { Suite } from "./behaviour.ts";
import { execSpec, never } from "./harness.ts";
import { readTar } from "./tar.ts";

export function diskBehaviours({ behaviour, harness, options }: Suite): void {
  behaviour(
    "the disk of a box that does not run is read as a tar, with what the user has put there and nothing else; the box starts again as it was",
    [],
    async () => {
      const box = await harness.anyBox();
      const spec = harness.specOf(box);
      const dir = harness.newPath();
      await harness.sh(`mkdir -p ${dir}; echo kept > ${dir}/file`, box);
      if (options.realLinux) {
        await harness.sh(`chown 1234:5678 ${dir}/file; chmod 4755 ${dir}/file; ln ${dir}/file ${dir}/name2`, box);
        await harness.sh("rm /etc/os-release; echo x > /run/gone; echo x > /dev/shm/gone; echo x > /tmp/stays", box);
      }
      const read = () => harness.engine.readDisk(spec, { signal: never() }, readTar);
      await expect(read()).rejects.toMatchObject({ code: "BOX_ALREADY_RUNNING" });
      await harness.engine.stop(box);

      const members = await read();
      const root = dir.slice(1);
      expect(members.get(`${root}/file`)?.content).toBe("kept\n");
      if (options.realLinux) {
        expect(members.get(`${root}/file`)).toMatchObject({ type: "file", mode: 0o4755 });
        expect(members.get(`${root}/name2`)).toMatchObject({ type: "link", target: `${root}/file` });
        expect(members.get("tmp/stays")?.content).toBe("x\n");
        expect(members.get("root")).toMatchObject({ type: "directory" });
        const names = [...members.keys()];
        // Of the kernel's file systems there is the place alone, and the agent's own files are not the user's.
        expect(names.filter((name) => /^(proc|sys|dev\/shm|run)\/./.test(name))).toEqual([]);
        const own = /^etc\/(os-release|hostname|hosts|machine-id|resolv\.conf)$|boxrun-agent|lost\+found/;
        expect(names.filter((name) => own.test(name))).toEqual([]);
      }

      const asked = await harness.engine.exec(box, execSpec(["true"])).catch((error: unknown) => error);
      expect(asked).toMatchObject({ code: "BOX_NOT_RUNNING" });
      await harness.engine.start(spec, { signal: never() });
      expect((await harness.read(`${dir}/file`, box)).toString()).toBe("kept\n");
      harness.handOn(box);
    },
  );

  behaviour("whoever does not want a disk any more, or can't take it, leaves its box stopped", [], async () => {
    const box = await harness.anyBox();
    const spec = harness.specOf(box);
    await harness.engine.stop(box);
    const failure = harness.engine.readDisk(spec, { signal: never() }, async (tar) => {
      for await (const _ of tar) throw new Error("no room for it");
    });
    await expect(failure).rejects.toThrow("no room for it");
    const caller = new AbortController();
    const givenUp = harness.engine.readDisk(spec, { signal: caller.signal }, async (tar) => {
      caller.abort();
      for await (const _ of tar);
    });
    if (options.realLinux) await expect(givenUp).rejects.toThrow();
    else await givenUp;
    await harness.engine.start(spec, { signal: never() });
    expect((await harness.run(["echo", "up"], {}, box)).stdout.toString()).toBe("up\n");
    harness.handOn(box);
  });
}
