import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Engine, type EngineImage, silentLogger } from "@boxrun/core";
import { buildAgent } from "@boxrun/guest-agent";
import { defaultCacheDir } from "@boxrun/host";
import { buildBaseImage } from "@boxrun/images";
import { z } from "zod";
import { createBoxLiteEngine } from "../../src/index.ts";
import { readBoxRecord } from "../../src/record.ts";

/** What the tests on real boxes share: built artefacts, and a state directory of their own. */
export interface TestHost extends AsyncDisposable {
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly image: EngineImage;
  /** Another engine over the same state, as a restarted server would make it, or one with another agent. */
  makeEngine(options?: { readonly cacheDir: string }): Engine;
  /** BoxLite's own id of a box. */
  engineId(boxId: string): string;
  vmPid(boxId: string): Promise<number>;
  /** Everything that this host still has of a box. */
  residue(boxId: string): readonly string[];
}

const indexSchema = z.object({ manifests: z.array(z.object({ digest: z.string() })).length(1) });
const recordSchema = z.object({ engineId: z.string() });

/** Builds what is missing; does nothing when all is there. */
export async function openTestHost(): Promise<TestHost> {
  const cacheDir = defaultCacheDir();
  await buildAgent({ cacheDir, sourceDir: join(import.meta.dirname, "../../../../guest") });
  const layoutDir = await buildBaseImage({ cacheDir });
  const stateDir = mkdtempSync(join(tmpdir(), "bb "));
  // Also of boxes that are gone by now.
  const engineIds = new Map<string, string>();
  const engineId = (boxId: string) => {
    try {
      const file = join(stateDir, "boxlite/boxes", boxId, "box.json");
      engineIds.set(boxId, recordSchema.parse(JSON.parse(readFileSync(file, "utf8"))).engineId);
    } catch {
      // It is gone, or was never made.
    }
    return engineIds.get(boxId) ?? "";
  };
  const makeEngine = (options?: { readonly cacheDir: string }) =>
    createBoxLiteEngine({ stateDir, cacheDir, logger: silentLogger, ...options });
  return {
    stateDir,
    cacheDir,
    image: { layoutDir, digest: onlyManifest(layoutDir) },
    makeEngine,
    engineId,
    vmPid: async (boxId) => {
      const record = await readBoxRecord(join(stateDir, "boxlite/boxes", boxId));
      if (!record?.vm) throw new Error(`no VM of ${boxId} is written down`);
      return record.vm.process.pid;
    },
    residue: (boxId) => {
      const id = engineId(boxId);
      const names = [boxId, ...(id === "" ? [] : [id])];
      return names.flatMap((name) => [...processesWith(name), ...socketsWith(name), ...filesWith(stateDir, name)]);
    },
    async [Symbol.asyncDispose]() {
      // Boxes that a failed test has left.
      const engine = makeEngine();
      for (const boxId of await engine.listBoxes()) await engine.remove(boxId);
      await engine.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

function onlyManifest(layoutDir: string): string {
  const index = indexSchema.parse(JSON.parse(readFileSync(join(layoutDir, "index.json"), "utf8")));
  return index.manifests[0]?.digest ?? "";
}

/** Processes that have the name in their command line or environment. */
function processesWith(name: string): readonly string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      const texts = ["cmdline", "environ"].map((file) => {
        try {
          return readFileSync(`/proc/${pid}/${file}`, "utf8");
        } catch {
          return "";
        }
      });
      const named = texts.some((text) => text.includes(name));
      return named ? [`process ${pid}: ${(texts[0] ?? "").replaceAll("\0", " ")}`] : [];
    });
}

function socketsWith(name: string): readonly string[] {
  return readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .filter((line) => line.includes(name))
    .map((line) => `socket ${line}`);
}

/** Below the state directory, and among the short names that BoxLite gives to its boxes' socket directories. */
function filesWith(stateDir: string, name: string): readonly string[] {
  const shortNames = join(tmpdir(), `bl-${process.getuid?.() ?? 0}`);
  return [stateDir, shortNames].flatMap((dir) => {
    try {
      return readdirSync(dir, { recursive: true, encoding: "utf8" })
        .filter((path) => path.includes(name))
        .map((path) => `file ${join(dir, path)}`);
    } catch {
      return [];
    }
  });
}
