import { type ConformancePart, engineConformance, outsideNetworkHooks } from "@boxrun/engine-testkit";
import { killAll, processRef } from "@boxrun/host";
import { afterAll } from "vitest";
import { openTestHost } from "./host.ts";

/** Registers a part of the conformance suite over real BoxLite boxes. Call it at the top level of a test file. */
export async function boxliteConformance(part: ConformancePart): Promise<void> {
  const host = await openTestHost();
  afterAll(() => host[Symbol.asyncDispose]());
  engineConformance(
    {
      name: "the BoxLite engine",
      makeEngine: async () => host.makeEngine(),
      image: host.image,
      realLinux: true,
      capabilities: ["exec-resume", "binary-output", "network", "volumes", "tty"],
      killVm: async (boxId) => {
        const vm = processRef(await host.vmPid(boxId));
        if (vm !== undefined) await killAll([vm]);
      },
      freezeVm: async (boxId) => {
        process.kill(await host.vmPid(boxId), "SIGSTOP");
      },
      thawVm: async (boxId) => {
        process.kill(await host.vmPid(boxId), "SIGCONT");
      },
      hostResidue: async (boxId) => host.residue(boxId),
      network: outsideNetworkHooks,
      // Doubly emulated, a gigabyte takes longer than all the rest.
      largeFileBytes: 8 * 1024 * 1024,
    },
    part,
  );
}
