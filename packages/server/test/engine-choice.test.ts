import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { type EngineDescription, silentLogger } from "@boxrun/core";
import { createMemoryEngine, type MemoryEngine } from "@boxrun/engine-testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { proveByBooting } from "../src/engines/prove.ts";
import { hostVirtualisation } from "../src/engines/virtualisation.ts";
import { wireEngines } from "../src/engines/wire.ts";
import { fakeImageContent } from "./support/image-content.ts";

type Options = Parameters<typeof wireEngines>[0];

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "boxrun-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** An engine on this host, as far as the choice can see. */
class Candidate {
  readonly engine: MemoryEngine;
  loads = 0;
  closes = 0;

  constructor(name: "qemu" | "boxlite", description: Partial<EngineDescription>) {
    this.engine = createMemoryEngine({ name });
    this.engine.describe = async () => ({ accelerator: "", ready: true, why: "", capabilities: [], ...description });
    const close = this.engine.close.bind(this.engine);
    this.engine.close = async () => {
      this.closes += 1;
      await close();
    };
  }

  readonly factory = async () => {
    this.loads += 1;
    return this.engine;
  };
}

const kvmWorks = { accelerator: "kvm", why: "a guest booted with KVM in 0.3 s" };
const kvmDies = { accelerator: "tcg", why: "/dev/kvm is there, but its guests die, so CPUs are emulated" };

function wire(qemu: Candidate, boxlite: Candidate | string, more: Partial<Options> = {}) {
  return wireEngines({
    requested: "auto",
    factories: {
      qemu: qemu.factory,
      boxlite:
        typeof boxlite === "string"
          ? async () => {
              throw new Error(boxlite);
            }
          : boxlite.factory,
    },
    inUse: new Set(),
    images: fakeImageContent(),
    stateDir: dir,
    cacheDir: dir,
    version: "1",
    logger: silentLogger,
    virtualisation: { kind: "kvm" },
    ...more,
  });
}

describe("BOXRUN_ENGINE=auto", () => {
  it("takes boxlite where QEMU has proven that KVM works, without booting anything more", async () => {
    const [qemu, boxlite] = [new Candidate("qemu", kvmWorks), new Candidate("boxlite", {})];
    const { engine, engineChoice } = await wire(qemu, boxlite);
    expect(engine).toBe(boxlite.engine);
    expect(engineChoice).toEqual({
      requested: "auto",
      reason: "hardware virtualisation works: a guest booted with KVM in 0.3 s",
      considered: [],
    });
    expect([boxlite.engine.controls.calls("create"), qemu.closes, boxlite.closes]).toEqual([0, 1, 0]);
  });

  it("takes qemu where KVM is there and guests die, and does not even load boxlite", async () => {
    const [qemu, boxlite] = [new Candidate("qemu", kvmDies), new Candidate("boxlite", {})];
    const { engine, engineChoice } = await wire(qemu, boxlite);
    expect(engine).toBe(qemu.engine);
    expect(engineChoice.considered).toEqual([
      { name: "boxlite", why: "hardware virtualisation does not work here: qemu could not boot a guest with KVM" },
    ]);
    expect(boxlite.loads).toBe(0);
  });

  it("takes qemu where the host has no virtualisation at all, without asking anybody", async () => {
    const [qemu, boxlite] = [new Candidate("qemu", {}), new Candidate("boxlite", {})];
    const virtualisation = { kind: "none", why: "this host has no /dev/kvm" } as const;
    const { engine, engineChoice } = await wire(qemu, boxlite, { virtualisation });
    expect(engine).toBe(qemu.engine);
    expect(engineChoice.considered).toEqual([{ name: "boxlite", why: "this host has no /dev/kvm" }]);
    expect(boxlite.loads).toBe(0);
  });

  it.each([
    ["can't be loaded", () => "its package is not installed for linux-x64"],
    [
      "is not ready",
      () => new Candidate("boxlite", { ready: false, why: "its package is not installed for linux-x64" }),
    ],
  ])("takes qemu where boxlite %s", async (_, boxlite) => {
    const qemu = new Candidate("qemu", kvmWorks);
    const { engine, engineChoice } = await wire(qemu, boxlite());
    expect(engine).toBe(qemu.engine);
    expect(engineChoice.considered).toEqual([{ name: "boxlite", why: "its package is not installed for linux-x64" }]);
  });

  it("takes qemu on another system than Linux, and says why", async () => {
    const [qemu, boxlite] = [new Candidate("qemu", { ready: false }), new Candidate("boxlite", {})];
    const { engine, engineChoice } = await wire(qemu, boxlite, { virtualisation: hostVirtualisation("darwin") });
    expect(engine).toBe(qemu.engine);
    expect(engineChoice.considered).toEqual([{ name: "boxlite", why: "so far it runs on Linux, and this is darwin" }]);
  });
});

describe("where QEMU can't prove KVM", () => {
  const noQemu = () => new Candidate("qemu", { ready: false, why: "install qemu-system-x86", accelerator: "none" });

  it("auto boots a box with boxlite, once per boot of the host and version", async () => {
    const boxlite = new Candidate("boxlite", {});
    const { engine, engineChoice } = await wire(noQemu(), boxlite);
    expect(engine).toBe(boxlite.engine);
    expect(engineChoice.reason).toMatch(/^a box booted with boxlite in \d+\.\d s$/);
    const again = new Candidate("boxlite", {});
    expect((await wire(noQemu(), again)).engineChoice).toEqual(engineChoice);
    const newer = new Candidate("boxlite", {});
    await wire(noQemu(), newer, { version: "2" });
    expect([boxlite, again, newer].map((one) => one.engine.controls.calls("create"))).toEqual([1, 0, 1]);
    expect(boxlite.engine.host.boxes.size).toBe(0);
  });

  it("auto takes qemu if that box does not boot, and remembers it", async () => {
    const boxlite = new Candidate("boxlite", {});
    boxlite.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "the guest died"));
    const qemu = noQemu();
    const { engine, engineChoice } = await wire(qemu, boxlite);
    expect(engine).toBe(qemu.engine);
    const considered = [
      { name: "boxlite", why: "hardware virtualisation is there, but no box boots (the guest died)" },
    ];
    expect(engineChoice.considered).toEqual(considered);
    const mended = new Candidate("boxlite", {});
    expect((await wire(noQemu(), mended)).engineChoice.considered).toEqual(considered);
    expect([mended.engine.controls.calls("create"), boxlite.closes]).toEqual([0, 1]);
  });

  it("a proof that could not be tried is not remembered", async () => {
    const images = fakeImageContent();
    images.builtin = async () => {
      throw new Error("the base image is not built");
    };
    const { engineChoice } = await wire(noQemu(), new Candidate("boxlite", {}), { images });
    expect(engineChoice.considered[0]?.why).toBe("it could not be tried: the base image is not built");
    expect((await wire(noQemu(), new Candidate("boxlite", {}))).engine.name).toBe("boxlite");
  });

  it("the proof ends with its time, also if the engine does not hear that", async () => {
    const { engine } = new Candidate("boxlite", {});
    engine.create = () => new Promise(() => undefined);
    const verdict = await proveByBooting(
      engine,
      { limitMs: 50, keepsFailure: true },
      { images: fakeImageContent(), cacheDir: dir, version: "1" },
    );
    expect(verdict).toEqual({
      works: false,
      why: "hardware virtualisation is there, but no box booted in 0.05 s",
    });
  });

  it("what a killed proof has left is cleared away before the next", async () => {
    const boxlite = new Candidate("boxlite", {});
    await boxlite.engine.create(
      { ...spec, id: "box_engine-proof" },
      { signal: new AbortController().signal, onEngineId: () => undefined },
    );
    expect((await wire(noQemu(), boxlite)).engine.name).toBe("boxlite");
    expect(boxlite.engine.host.boxes.size).toBe(0);
  });
});

describe("an engine that is asked for", () => {
  it("is taken: qemu, ready or not", async () => {
    const qemu = new Candidate("qemu", { ready: false, why: "install qemu-system-x86" });
    const boxlite = new Candidate("boxlite", {});
    const { engine, engineChoice } = await wire(qemu, boxlite, { requested: "qemu" });
    expect(engine).toBe(qemu.engine);
    expect(engineChoice).toEqual({
      requested: "qemu",
      reason: "BOXRUN_ENGINE or --engine asks for qemu",
      considered: [],
    });
    expect(boxlite.loads).toBe(0);
  });

  it("is taken: boxlite, if a box boots with it, whatever QEMU says", async () => {
    const [qemu, boxlite] = [new Candidate("qemu", kvmDies), new Candidate("boxlite", {})];
    const { engine, engineChoice } = await wire(qemu, boxlite, { requested: "boxlite" });
    expect(engine).toBe(boxlite.engine);
    expect(engineChoice.reason).toMatch(/asks for boxlite; a box booted with boxlite in/);
    expect(qemu.loads).toBe(0);
  });

  it("is tried again after a failure, and not after a success", async () => {
    const [busy, mended, again] = [
      new Candidate("boxlite", {}),
      new Candidate("boxlite", {}),
      new Candidate("boxlite", {}),
    ];
    busy.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "the guest died"));
    await expect(wire(new Candidate("qemu", kvmDies), busy, { requested: "boxlite" })).rejects.toThrow(
      "the guest died",
    );
    for (const candidate of [mended, again]) {
      expect((await wire(new Candidate("qemu", kvmDies), candidate, { requested: "boxlite" })).engine).toBe(
        candidate.engine,
      );
    }
    expect([busy, mended, again].map((one) => one.engine.controls.calls("create"))).toEqual([1, 1, 0]);
  });

  it.each([
    [
      "no virtualisation",
      () => new Candidate("boxlite", {}),
      { virtualisation: hostVirtualisation("linux", "/nonexistent/kvm") },
      /^Cannot start the server with the engine boxlite: this host has no \/nonexistent\/kvm\. Mend that, .*BOXRUN_ENGINE=auto/,
    ],
    ["no package", () => "its package is not installed", {}, /boxlite: its package is not installed\. Mend/],
    [
      "no box that boots",
      () => {
        const candidate = new Candidate("boxlite", {});
        candidate.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "the guest died"));
        return candidate;
      },
      {},
      /hardware virtualisation is there, but no box boots \(the guest died\)\. Mend/,
    ],
  ])("is refused, with the reason and what to do: boxlite with %s", async (_, boxlite, more, message) => {
    const candidate = boxlite();
    const wiring = wire(new Candidate("qemu", kvmWorks), candidate, { requested: "boxlite", ...more });
    await expect(wiring).rejects.toMatchObject({ code: "RUNTIME_ERROR", message: expect.stringMatching(message) });
    if (typeof candidate !== "string") expect(candidate.closes).toBe(candidate.loads);
  });
});

describe("engines of boxes that are here", () => {
  it("are wired beside the chosen one, and those that this server does not have are named", async () => {
    const [qemu, boxlite] = [new Candidate("qemu", kvmDies), new Candidate("boxlite", {})];
    const inUse = new Set(["qemu", "boxlite", "firecracker"]);
    const { engine, otherEngines } = await wire(qemu, boxlite, { inUse });
    expect([engine, otherEngines.wired]).toEqual([qemu.engine, [boxlite.engine]]);
    expect([...otherEngines.missing]).toEqual([["firecracker", "this version of BoxRun has no such engine"]]);
    expect([qemu.closes, boxlite.closes]).toEqual([0, 0]);
  });

  it("leave what is found below the state directory under the box's ids to be deleted, and nothing else", async () => {
    const { otherEngines } = await wire(new Candidate("qemu", {}), "none");
    const id = "box_abcdefghijkl";
    const engineId = "a1B2c3D4e5F6";
    const kept = [join("vm", "box_mnopqrstuvwx"), join("boxlite", "home", "boxes", "z1B2c3D4e5F6")];
    const gone = [join("boxlite", "boxes", id), join("boxlite", "home", "boxes", engineId), join("vm", id)];
    for (const path of [...kept, ...gone]) {
      await mkdir(join(dir, path), { recursive: true });
      await writeFile(join(dir, path, "disk"), "");
    }
    expect([...(await otherEngines.discard({ id, engineId }))].sort()).toEqual(gone.map((path) => join(dir, path)));
    expect(gone.map((path) => existsSync(join(dir, path)))).toEqual([false, false, false]);
    expect(kept.map((path) => existsSync(join(dir, path, "disk")))).toEqual([true, true]);
    expect(await otherEngines.discard({ id, engineId: "boxes" })).toEqual([]);
    await expect(otherEngines.discard({ id: "../..", engineId: null })).rejects.toThrow();
  });
});

const spec = {
  hostname: "x",
  workdir: "/root",
  image: { digest: "sha256:0", layoutDir: "/nowhere" },
  cpu: 1,
  memoryMb: 128,
  diskSizeGb: 1,
  network: false,
  volumes: [],
};
