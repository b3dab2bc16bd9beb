import { createMemoryEngine, engineConformance, MemoryHost } from "../src/index.ts";

const host = new MemoryHost();

engineConformance({
  name: "the memory engine",
  makeEngine: async () => createMemoryEngine({ host, killGraceMs: 200 }),
  image: { digest: "sha256:none", layoutDir: "/nonexistent" },
  realLinux: false,
  capabilities: ["exec-resume", "binary-output", "tty", "prepared-boxes"],
  killVm: async (boxId) => host.kill(boxId),
  freezeVm: async (boxId) => host.silence(boxId),
  thawVm: async (boxId) => host.answer(boxId),
  hostResidue: async (boxId) => (host.boxes.has(boxId) ? [`a box in memory: ${boxId}`] : []),
  network: { unavailable: "the memory engine has no network" },
  largeFileBytes: 64 * 1024 * 1024,
  timeoutMs: 20_000,
});
