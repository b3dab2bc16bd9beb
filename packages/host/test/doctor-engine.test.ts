import type { EngineInfo } from "@boxrun/contract";
import { describe, expect, it } from "vitest";
import { checkBoxLite, checkChoice, checkEngine, type EngineHost, foreseeEngine } from "../src/doctor/engine.ts";

const good: EngineHost = { platform: "linux-x64", hasVirtualisation: true, boxLite: "0.10.0", cacheDir: "/cache" };
const withoutKvm: EngineHost = { ...good, hasVirtualisation: false };
const withoutBoxLite: EngineHost = { ...good, boxLite: undefined };

describe("doctor foresees the engine", () => {
  it.each([
    ["auto", good, "ok", /^boxlite if a guest really boots with KVM, else qemu/],
    ["auto", withoutKvm, "ok", /^qemu, because there is no hardware virtualisation/],
    ["auto", withoutBoxLite, "ok", /^qemu, because boxlite is not installed/],
    ["qemu", good, "ok", /^qemu, because BOXRUN_ENGINE asks for it/],
    ["boxlite", good, "ok", /^boxlite, because BOXRUN_ENGINE asks for it, if a box boots/],
    ["boxlite", withoutKvm, "fail", /asks for boxlite, but there is no hardware virtualisation/],
    ["boxlite", withoutBoxLite, "fail", /asks for boxlite, but boxlite is not installed/],
    ["docker", good, "fail", /^BOXRUN_ENGINE is "docker"/],
  ])("BOXRUN_ENGINE=%s on %j: %s", (requested, host, status, message) => {
    expect(foreseeEngine(requested, host)).toMatchObject({ status, message: expect.stringMatching(message) });
  });
});

describe("doctor says of boxlite", () => {
  it.each([
    [good, "ok", "0.10.0 is installed for linux-x64"],
    [withoutBoxLite, "warn", "is not installed for linux-x64: boxes run on qemu"],
    [{ ...withoutBoxLite, hasVirtualisation: false }, "ok", /not installed .* without hardware virtualisation$/],
    [{ ...withoutBoxLite, platform: "linux-riscv64" }, "ok", "there is none for linux-riscv64: boxes run on qemu"],
  ])("%j: %s", (host, status, message) => {
    expect(checkBoxLite(host)).toMatchObject({ status, message: expect.stringMatching(message) });
  });
});

describe("doctor asks the server for its engine", () => {
  const engine: EngineInfo = {
    name: "qemu",
    accelerator: "tcg",
    ready: true,
    why: "guests die with KVM",
    capabilities: [],
    requested: "auto",
    reason: "qemu runs anywhere",
    considered: [{ name: "boxlite", why: "no virtualisation" }],
  };

  it("and says why it is this one, and why not another", () => {
    expect([checkEngine(engine, withoutKvm), ...checkChoice(engine, undefined)]).toEqual([
      { name: "engine", status: "ok", message: "qemu with tcg: guests die with KVM" },
      { name: "choice", status: "ok", message: "by auto: qemu runs anywhere; not boxlite: no virtualisation" },
    ]);
  });

  it("and warns where there is KVM and guests don't boot with it", () => {
    expect(checkEngine(engine, good)).toMatchObject({
      status: "warn",
      advice: expect.stringMatching(/nested virtualisation.*\/cache\/probe/s),
    });
  });

  it("and warns of a BOXRUN_ENGINE that the server was not started with", () => {
    expect(checkChoice(engine, "auto")).toMatchObject([{ status: "ok" }]);
    expect(checkChoice(engine, "boxlite")).toMatchObject([
      { status: "warn", message: expect.stringContaining("BOXRUN_ENGINE is boxlite now") },
    ]);
  });

  it("and fails where that is not ready", () => {
    expect(checkEngine({ ...engine, ready: false, why: "install QEMU" }, good)).toMatchObject({
      status: "fail",
      message: "qemu: install QEMU",
    });
  });

  it("and takes an older server's answer", () => {
    const { requested: _, reason: __, considered: ___, ...older } = engine;
    expect(checkEngine({ ...older, accelerator: "kvm" }, good)).toMatchObject({ status: "ok" });
    expect(checkChoice(older, "qemu")).toEqual([]);
  });
});
