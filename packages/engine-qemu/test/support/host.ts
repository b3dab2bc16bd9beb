import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Engine, type EngineImage, silentLogger } from "@boxrun/core";
import { buildBaseImage } from "@boxrun/images";
import { z } from "zod";
import { Host } from "../../src/host.ts";
import { buildGuest, createQemuEngine, defaultCacheDir, type QemuEngineOptions } from "../../src/index.ts";

/** What the VM tests share: built artefacts, and a state directory of their own. */
export interface TestHost extends AsyncDisposable {
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly image: EngineImage;
  /** Another engine over the same state, as a restarted server would make it. */
  makeEngine(options?: Partial<QemuEngineOptions>): Engine;
  boxDir(boxId: string): string;
  qemuPid(boxId: string): number;
  /** Of its volumes, and of its network. */
  helperPids(boxId: string): readonly number[];
  /** Everything that this host still has of a box. */
  residue(boxId: string): readonly string[];
}

const indexSchema = z.object({ manifests: z.array(z.object({ digest: z.string() })).length(1) });
const processSchema = z.object({ pid: z.int() });
const recordSchema = z.object({ qemu: processSchema, helpers: z.array(processSchema) });

/** What a server takes, too (vitest.config.ts): one engine that kept less would take away what the others go on from. */
export function templateCacheMb(): number | undefined {
  const given = process.env.BOXRUN_TEMPLATE_CACHE_MB;
  return given === undefined ? undefined : Number(given);
}

/** A guest has to boot within seconds for KVM to count, which one on a CPU that is emulated may miss while the host is busy. */
const looksAtAccelerator = 3;

/** A run that is there to prove something of one kind of CPU (vitest.config.ts) proves nothing on the other. */
async function insistOnAccelerator(cacheDir: string): Promise<void> {
  const wanted = process.env.BOXRUN_TEST_ACCELERATOR;
  if (wanted === undefined) return;
  for (let look = 1; ; look += 1) {
    const { accelerator, why } = await new Host(cacheDir).accelerator();
    if (accelerator === wanted) return;
    if (look === looksAtAccelerator) {
      throw new Error(`these tests are to run with ${wanted}, and would with ${accelerator}: ${why}`);
    }
    // The verdict is kept until the host boots.
    for (const kept of globSync(join(cacheDir, "probe", "kvm-*"))) rmSync(kept);
  }
}

/** Builds what is missing; does nothing when all is there. */
export async function openTestHost(): Promise<TestHost> {
  const cacheDir = defaultCacheDir();
  await buildGuest({ cacheDir });
  await insistOnAccelerator(cacheDir);
  const layoutDir = await buildBaseImage({ cacheDir });
  const index = indexSchema.parse(JSON.parse(readFileSync(join(layoutDir, "index.json"), "utf8")));
  const digest = index.manifests[0]?.digest ?? "";
  // A comma and a space: QEMU's option syntax would stumble over them.
  const stateDir = mkdtempSync(join(tmpdir(), "bq, "));
  const boxDir = (boxId: string) => join(stateDir, "vm", boxId);
  const record = (boxId: string) =>
    recordSchema.parse(JSON.parse(readFileSync(join(boxDir(boxId), "vm.json"), "utf8")));
  return {
    stateDir,
    cacheDir,
    image: { digest, layoutDir },
    makeEngine: (options = {}) =>
      createQemuEngine({ stateDir, cacheDir, logger: silentLogger, templateCacheMb: templateCacheMb(), ...options }),
    boxDir,
    qemuPid: (boxId) => record(boxId).qemu.pid,
    helperPids: (boxId) => record(boxId).helpers.map(({ pid }) => pid),
    residue: (boxId) => [...processesWith(boxDir(boxId)), ...socketsWith(boxId), ...filesWith(stateDir, boxId)],
    async [Symbol.asyncDispose]() {
      // Boxes that a failed test has left.
      const engine = createQemuEngine({ stateDir, cacheDir, logger: silentLogger });
      for (const boxId of await engine.listBoxes()) await engine.remove(boxId);
      await engine.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** Processes that have the box's directory in their command line, environment or as their working directory. */
function processesWith(boxDir: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const texts = ["cmdline", "environ"].map((file) => {
        try {
          return readFileSync(`/proc/${pid}/${file}`, "utf8");
        } catch {
          return "";
        }
      });
      const named = texts.some((text) => text.includes(boxDir));
      return named ? [`process ${pid}: ${(texts[0] ?? "").replaceAll("\0", " ")}`] : [];
    });
}

function socketsWith(boxId: string): readonly string[] {
  return readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .filter((line) => line.includes(boxId))
    .map((line) => `socket ${line}`);
}

function filesWith(stateDir: string, boxId: string): readonly string[] {
  return readdirSync(stateDir, { recursive: true, encoding: "utf8" })
    .filter((path) => path.includes(boxId))
    .map((path) => `file ${path}`);
}
