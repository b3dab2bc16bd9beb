import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { infoSchema, urls } from "@boxrun/contract";
import { defaultCacheDir, locateGuest } from "@boxrun/engine-qemu";
import { connectGreeted, socketAddress } from "@boxrun/guest-agent";
import { measureTscKhz } from "../../packages/engine-qemu/src/host/tsc.ts";
import { boxFiles, qemuArgs, type VmShape } from "../../packages/engine-qemu/src/vm/command-line.ts";
import { TestServer } from "../../test/e2e/support/server.ts";
import { type Figure, median, ms, timed } from "./figures.ts";

const rounds = 7;
const cpu = 1;
const memoryMb = 256;

/** A create through the server against QEMU alone: the same kernel and initramfs, to the agent's first answer. Turn and turn about. */
export async function benchBoot(): Promise<Figure[]> {
  await using server = await TestServer.start({ env: { BOXRUN_TEMPLATE_CACHE_MB: "0" } });
  await using fast = await TestServer.start();
  const info = infoSchema.parse((await server.http.json("GET", urls.info())).body);
  const shape = await bareShape(info.engine.accelerator === "kvm" ? "kvm" : "tcg");
  await create(server);
  await waitForTemplate(fast);
  const bare: number[] = [];
  const boxes: number[] = [];
  const resumed: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await bootBare(shape));
    boxes.push(await create(server));
    resumed.push(await create(fast));
  }
  const ratio = median(boxes) / median(bare);
  const fastRatio = median(resumed) / median(bare);
  return [
    {
      name: `create to running, cold, ${info.engine.accelerator}, median of ${rounds}`,
      value: `${ms(median(boxes))}, ${ratio.toFixed(2)} ×`,
      reference: `bare QEMU to the agent's first answer, ${ms(median(bare))}`,
      bar: "1.30 ×",
      held: ratio <= 1.3,
    },
    {
      name: `create to running, from a template, ${info.engine.accelerator}, median of ${rounds}`,
      value: `${ms(median(resumed))}, ${fastRatio.toFixed(2)} ×`,
      reference: `bare QEMU to the agent's first answer, ${ms(median(bare))}`,
      bar: "0.08 ×",
      held: fastRatio <= 0.08,
    },
  ];
}

/** The first box of a shape boots, and has the template made behind it, unless an earlier run has. One that is there already is told by no log, but by a second box that is as fast. */
async function waitForTemplate(server: TestServer): Promise<void> {
  const isMade = () => server.log.includes("start from a template");
  const first = await create(server);
  const isThere = (await create(server)) < first / 3;
  for (let waited = 0; !isThere && !isMade(); waited += 100) {
    if (waited > 120_000) throw new Error("no template was made in two minutes");
    await delay(100);
  }
  // The first box from it takes it into memory.
  await create(server);
}

async function create(server: TestServer): Promise<number> {
  const { ms: took, result: box } = await timed(() => server.http.createBox({ cpu, memory_mb: memoryMb }));
  await server.http.json("DELETE", urls.removeBox(box.id, true));
  return took;
}

async function bareShape(accelerator: "kvm" | "tcg"): Promise<VmShape> {
  const guest = locateGuest(defaultCacheDir());
  return {
    accelerator,
    cpu,
    memoryMb,
    tscKhz: await measureTscKhz(guest.hostHelper),
    kernel: guest.kernel,
    initramfs: guest.initramfs,
    disks: undefined,
    network: undefined,
    volumes: 0,
    name: "boxrun-bench",
  };
}

async function bootBare(shape: VmShape): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "br-bare-"));
  await mkdir(join(directory, boxFiles.socketDir));
  const begun = performance.now();
  const qemu = spawn("qemu-system-x86_64", [...qemuArgs(shape)], { cwd: directory, stdio: "ignore" });
  const exited = once(qemu, "exit");
  try {
    const socketPath = join(directory, boxFiles.agentSocket);
    while (!existsSync(socketPath)) {
      if (qemu.exitCode !== null) throw new Error(`QEMU ended with ${qemu.exitCode}`);
      await delay(2);
    }
    const { stream } = await connectGreeted(socketAddress(socketPath), AbortSignal.timeout(60_000));
    const took = performance.now() - begun;
    stream.destroy();
    return took;
  } finally {
    qemu.kill("SIGKILL");
    await exited;
    await rm(directory, { recursive: true, force: true });
  }
}
