import { engineConformance, noNetworks, outsideNetworkHooks } from "@boxrun/engine-testkit";
import { afterAll } from "vitest";
import { openTestHost } from "./support/host.ts";

const host = await openTestHost();
afterAll(() => host[Symbol.asyncDispose]());

engineConformance({
  name: "the QEMU engine",
  makeEngine: async () => host.makeEngine(),
  image: host.image,
  realLinux: true,
  // The full gigabyte, which takes minutes without KVM, in CI and in `npm run bench files`.
  ...(process.env.CI ? {} : { largeFileBytes: 128 * 1024 * 1024 }),
  capabilities: [
    "exec-resume",
    "binary-output",
    "tty",
    "network",
    ...(noNetworks === undefined ? ["volumes" as const] : []),
  ],
  killVm: async (boxId) => {
    process.kill(host.qemuPid(boxId), "SIGKILL");
  },
  hostResidue: async (boxId) => host.residue(boxId),
  network: outsideNetworkHooks,
});
