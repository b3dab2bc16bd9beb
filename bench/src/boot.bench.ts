import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type CreateBoxInput, infoSchema, urls } from "@boxrun/contract";
import { defaultCacheDir } from "@boxrun/engine-qemu";
import { TestServer } from "../../test/e2e/support/server.ts";
import { bareShape, bootBare, resumeBare } from "./bare-vm.ts";
import { type Figure, median, ms } from "./figures.ts";

const rounds = 9;
const cpu = 1;
const memoryMb = 256;

/**
 * Creates through the server against QEMU alone, with the same kernel and initramfs: one that boots against a boot to the agent's first answer; one from a template, to the first byte of
 * `echo`, against that and against the resume of the same template. Turn and turn about.
 */
export async function benchBoot(): Promise<Figure[]> {
  await using server = await TestServer.start({ env: { BOXRUN_TEMPLATE_CACHE_MB: "0" } });
  const cacheDir = await cacheWithoutTemplates();
  await using disposal = new AsyncDisposableStack();
  disposal.defer(() => rm(cacheDir, { recursive: true, force: true }));
  await using fast = await TestServer.start({ env: { BOXRUN_CACHE_DIR: cacheDir } });
  const shape = await bareShape(await acceleratorOf(server), { cpu, memoryMb }, cacheDir);
  const shared = await mkdtemp(join(tmpdir(), "br-share-"));
  disposal.defer(() => rm(shared, { recursive: true, force: true }));
  const volumes: CreateBoxInput["volumes"] = [{ host_path: shared, guest_path: "/shared" }];
  await create(server);
  await makeTemplates(fast);
  await makeTemplates(fast, volumes);
  const bare: number[] = [];
  const raw: number[] = [];
  const cold: Created[] = [];
  const resumed: Created[] = [];
  const withVolume: Created[] = [];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await bootBare(shape));
    cold.push(await create(server));
    // They are short, and so is what disturbs them.
    for (let nth = 0; nth < 3; nth += 1) {
      raw.push(await resumeBare(shape, cacheDir));
      resumed.push(await create(fast));
      withVolume.push(await create(fast, volumes));
    }
  }
  const [boot, resume] = [median(bare), median(raw)];
  const booted = median(cold.map(({ running }) => running));
  const running = median(resumed.map((one) => one.running));
  const firstByte = median(resumed.map((one) => one.firstByte));
  const runningWithVolume = median(withVolume.map((one) => one.running));
  const times = (value: number) => `${(value / boot).toFixed(3)} ×`;
  const reference = `bare QEMU to the agent's first answer: a boot ${ms(boot)}, a resume ${ms(resume)}`;
  return [
    {
      name: `create to running, cold, ${shape.accelerator}, median of ${rounds}`,
      value: `${ms(booted)}, ${times(booted)}`,
      reference,
      bar: "1.30 ×",
      held: booted <= 1.3 * boot,
    },
    {
      name: `create to running, from a template, ${shape.accelerator}, median of ${3 * rounds}`,
      value: `${ms(running)}, ${times(running)}`,
      reference,
      bar: "0.08 ×",
      held: running <= 0.08 * boot,
    },
    {
      name: `create to the first byte of echo, from a template, ${shape.accelerator}, median of ${3 * rounds}`,
      value: `${ms(firstByte)}, ${times(firstByte)}`,
      reference,
      bar: "0.08 ×",
      held: firstByte <= 0.08 * boot,
    },
    {
      name: `create to running, with a volume, from a template, ${shape.accelerator}, median of ${3 * rounds}`,
      value: `${ms(runningWithVolume)}, ${times(runningWithVolume)}`,
      reference: `${reference}; without one ${ms(running)}`,
      bar: "0.12 ×",
      held: runningWithVolume <= 0.12 * boot,
    },
  ];
}

interface Created {
  readonly running: number;
  readonly firstByte: number;
}

async function acceleratorOf(server: TestServer): Promise<"kvm" | "tcg"> {
  const { body } = await server.http.json("GET", urls.info());
  return infoSchema.parse(body).engine.accelerator === "kvm" ? "kvm" : "tcg";
}

/** The first box of a shape boots, and has the bare template made behind it; the second has the one made in which a box is ready, and the third takes that into memory. */
async function makeTemplates(server: TestServer, volumes?: CreateBoxInput["volumes"]): Promise<void> {
  for (const word of ["boxes of this shape start", "new boxes of this shape and image start"]) {
    const count = () => server.log.split(word).length;
    const before = count();
    await create(server, volumes);
    for (let waited = 0; count() === before; waited += 100) {
      if (waited > 120_000)
        throw new Error(`no template was made in two minutes: the server's log does not say ${word}`);
      await delay(100);
    }
  }
  await create(server, volumes);
}

async function create(server: TestServer, volumes: CreateBoxInput["volumes"] = []): Promise<Created> {
  const begun = performance.now();
  const box = await server.http.createBox({ cpu, memory_mb: memoryMb, volumes });
  const running = performance.now() - begun;
  let firstByte = Number.NaN;
  for await (const { event } of server.http.follow(box.id, ["echo", "hello"])) {
    if (event === "log" && Number.isNaN(firstByte)) firstByte = performance.now() - begun;
  }
  await server.http.json("DELETE", urls.removeBox(box.id, true));
  return { running, firstByte };
}

/** The cache with no template in it, so that those which are there are known. */
async function cacheWithoutTemplates(): Promise<string> {
  const cache = await mkdtemp(join(tmpdir(), "br-cache-"));
  for (const name of await readdir(defaultCacheDir())) {
    if (name !== "templates") await symlink(join(defaultCacheDir(), name), join(cache, name));
  }
  return cache;
}
