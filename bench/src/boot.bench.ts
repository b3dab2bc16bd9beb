import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { infoSchema, urls } from "@boxrun/contract";
import { defaultCacheDir } from "@boxrun/engine-qemu";
import { TestServer } from "../../test/e2e/support/server.ts";
import { bareShape, bootBare, bootBareWithoutClock, resumeBare } from "./bare-vm.ts";
import { CacheWithoutTemplates, type Created, create, makeTemplates, poolIsFull } from "./creates.ts";
import { type Figure, median, ms } from "./figures.ts";
import { Podman } from "./podman.ts";

const rounds = 9;
/** In each of them, of what is short, and so is what disturbs it. */
const perRound = 3;
const size = { cpu: 1, memory_mb: 256 } as const;
const pool = `1 base --cpu ${size.cpu} --memory ${size.memory_mb} --disk 1`;

/**
 * Creates through the server against QEMU alone, with the same kernel and initramfs: one that boots against a boot to the agent's first answer; one from a template, to the first byte of
 * `echo`; one with a volume; and one that takes a VM which was prepared. The bars of these are ratios to the boot of a VM without a clock, which boxes had when they were set: the boot has
 * become twice as fast since, and they no slower. Beside them the resume of the same template, and where there is podman, what it takes for a container of the same image. Turn and turn about.
 */
export async function benchBoot(): Promise<Figure[]> {
  await using server = await TestServer.start({ env: { BOXRUN_TEMPLATE_CACHE_MB: "0" } });
  await using cache = await CacheWithoutTemplates.make();
  const env = { BOXRUN_CACHE_DIR: cache.path };
  await using fast = await TestServer.start({ env });
  const accelerator = await acceleratorOf(server);
  const shape = await bareShape(accelerator, { cpu: size.cpu, memoryMb: size.memory_mb }, cache.path);
  await using disposal = new AsyncDisposableStack();
  const shared = disposal.adopt(await mkdtemp(join(tmpdir(), "br-share-")), (dir) =>
    rm(dir, { recursive: true, force: true }),
  );
  const withVolume = { ...size, volumes: [{ host_path: shared, guest_path: "/shared" }] };
  const podman = await Podman.open(defaultCacheDir());
  if (podman instanceof Podman) disposal.use(podman);
  await create(server, size);
  await makeTemplates(fast, size);
  await makeTemplates(fast, withVolume);
  // Behind them: a template that is there is not made again, and not told.
  await using warm = await TestServer.start({ env: { ...env, BOXRUN_POOL: pool } });

  const [bare, without, raw, container]: [number[], number[], number[], number[]] = [[], [], [], []];
  const [cold, resumed, sharing, claimed]: [Created[], Created[], Created[], Created[]] = [[], [], [], []];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await bootBare(shape));
    without.push(await bootBareWithoutClock(shape));
    cold.push(await create(server, size));
    for (let nth = 0; nth < perRound; nth += 1) {
      raw.push(await resumeBare(shape, cache.path));
      resumed.push(await create(fast, size));
      sharing.push(await create(fast, withVolume));
      if (podman instanceof Podman) container.push(await podman.run());
      await poolIsFull(warm);
      claimed.push(await create(warm, size));
      // Another one is being prepared, which is not what comes next.
      await poolIsFull(warm);
    }
  }

  const beside = podman instanceof Podman ? `podman run to the first byte ${ms(median(container))}` : podman;
  const boots = { "a boot": median(bare), "a boot without a clock": median(without) } as const;
  const told = Object.entries(boots).map(([what, took]) => `${what} ${ms(took)}`);
  const reference = `bare QEMU to the agent's first answer: ${told.join(", ")}, a resume ${ms(median(raw))}; ${beside}`;
  const figure = (
    what: string,
    creates: readonly Created[],
    to: keyof Created,
    { bar, of }: { readonly bar: number; readonly of: keyof typeof boots },
  ): Figure => {
    const took = median(creates.map((one) => one[to]));
    const end = to === "running" ? "running" : "the first byte of echo";
    const ratios = Object.entries(boots).map(([boot, bootMs]) => `${(took / bootMs).toFixed(3)} × ${boot}`);
    return {
      name: `create to ${end}, ${what}, ${accelerator}, median of ${creates.length}`,
      value: `${ms(took)}, ${ratios.join(", ")}`,
      reference,
      bar: `${bar.toFixed(2)} × ${of}`,
      held: took <= bar * boots[of],
    };
  };
  const before = (bar: number) => ({ bar, of: "a boot without a clock" }) as const;
  return [
    figure("cold", cold, "running", { bar: 1.3, of: "a boot" }),
    figure("from a template", resumed, "running", before(0.08)),
    figure("from a template", resumed, "firstByte", before(0.08)),
    figure("with a volume, from a template", sharing, "running", before(0.12)),
    figure("from the warm pool", claimed, "firstByte", before(0.03)),
  ];
}

async function acceleratorOf(server: TestServer): Promise<"kvm" | "tcg"> {
  const { body } = await server.http.json("GET", urls.info());
  return infoSchema.parse(body).engine.accelerator === "kvm" ? "kvm" : "tcg";
}
