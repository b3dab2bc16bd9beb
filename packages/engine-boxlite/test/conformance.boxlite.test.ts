import { engineCapabilities } from "@boxrun/core";
import { engineConformance, outsideNetworkHooks } from "@boxrun/engine-testkit";
import { afterAll } from "vitest";
import { openTestHost } from "./support/host.ts";

const host = await openTestHost();
afterAll(() => host[Symbol.asyncDispose]());

engineConformance({
  name: "the BoxLite engine",
  makeEngine: async () => host.makeEngine(),
  image: host.image,
  realLinux: true,
  capabilities: engineCapabilities,
  killVm: async (boxId) => {
    process.kill(await host.vmPid(boxId), "SIGKILL");
  },
  hostResidue: async (boxId) => host.residue(boxId),
  network: outsideNetworkHooks,
  // Doubly emulated, a gigabyte takes longer than all the rest; CI on real hardware moves it.
  largeFileBytes: 32 * 1024 * 1024,
});
