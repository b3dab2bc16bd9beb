import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { JsBoxlite } from "@boxlite-ai/boxlite";
import { buildBaseImage } from "@boxrun/images";
import { afterAll, expect, test } from "vitest";

const cacheDir = process.env.BOXRUN_CACHE_DIR || join(homedir(), ".cache", "boxrun");
const homeDir = await mkdtemp(join(tmpdir(), "boxlite-"));
afterAll(() => rm(homeDir, { recursive: true, force: true }));

test("BoxLite itself boots a box here and runs a command in it", async () => {
  const rootfsPath = await buildBaseImage({ cacheDir });
  const runtime = new JsBoxlite({ homeDir });
  const box = await runtime.create({ rootfsPath, cpus: 1, memoryMib: 256, autoRemove: false }, "raw");
  try {
    const exec = await box.exec("uname", ["-s"], null, false);
    const stdout = await exec.stdout();
    let said = "";
    for (let piece = await stdout.next(); piece !== null; piece = await stdout.next()) said += piece;
    const { exitCode } = await exec.wait();
    expect({ said: said.trim(), exitCode }).toEqual({ said: "Linux", exitCode: 0 });
  } finally {
    await box.stop();
    await runtime.remove(box.id, true);
  }
});
