import { type ConformancePart, engineConformance, noNetworks, outsideNetworkHooks } from "@boxrun/engine-testkit";
import { killAll, processRef } from "@boxrun/host";
import { afterAll } from "vitest";
import { openTestHost } from "./host.ts";

/** Registers a part of the conformance suite over real QEMU boxes. Call it at the top level of a test file. */
export async function qemuConformance(part: ConformancePart): Promise<void> {
  const host = await openTestHost();
  afterAll(() => host[Symbol.asyncDispose]());
  engineConformance(
    {
      name: "the QEMU engine",
      makeEngine: async () => host.makeEngine(),
      image: host.image,
      realLinux: true,
      // The full gigabyte, which takes minutes without KVM, in CI and in `npm run bench files`.
      ...(process.env.CI ? {} : { largeFileBytes: 128 * 1024 * 1024 }),
      capabilities: [
        "exec-resume",
        "prepared-boxes",
        "binary-output",
        "tty",
        "network",
        ...(noNetworks === undefined ? ["volumes" as const] : []),
      ],
      killVm: async (boxId) => {
        const vm = processRef(host.qemuPid(boxId));
        if (vm !== undefined) await killAll([vm]);
      },
      freezeVm: async (boxId) => {
        process.kill(host.qemuPid(boxId), "SIGSTOP");
      },
      thawVm: async (boxId) => {
        process.kill(host.qemuPid(boxId), "SIGCONT");
      },
      hostResidue: async (boxId) => host.residue(boxId),
      network: outsideNetworkHooks,
    },
    part,
  );
}
