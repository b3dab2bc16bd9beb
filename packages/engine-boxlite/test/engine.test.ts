import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@boxrun/core";
import { afterAll, expect, test } from "vitest";
import { createBoxLiteEngine } from "../src/index.ts";
import { checkSpec } from "../src/options.ts";

const dir = mkdtempSync(join(tmpdir(), "be-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("a state directory whose path is too long for sockets is refused at once, and says so", () => {
  const stateDir = join(dir, "x".repeat(80));
  expect(() => createBoxLiteEngine({ stateDir, cacheDir: dir, logger: silentLogger })).toThrow(
    /bytes too long for the Unix sockets/,
  );
});

test("without a built agent, or without the native module, it is not ready and says what to run", async () => {
  const engine = createBoxLiteEngine({ stateDir: join(dir, "s"), cacheDir: join(dir, "empty"), logger: silentLogger });
  expect(await engine.describe()).toMatchObject({
    accelerator: "none",
    ready: false,
    why: expect.stringMatching(/npm (run setup|install)/),
  });
  await engine.close();
});

test("a box id that is no file name never reaches the disk", async () => {
  const engine = createBoxLiteEngine({ stateDir: join(dir, "s"), cacheDir: dir, logger: silentLogger });
  for (const id of ["../x", "a/b", "..", "", "a\0b", "x".repeat(200)]) {
    await expect(engine.remove(id)).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
  }
  await engine.close();
});

test.skipIf(process.arch !== "x64").each([
  [false, 3],
  [true, 2],
])(
  "with network: %s a box on x86 has room for %i volumes, and more are refused with the reason",
  async (network, most) => {
    const shared = join(dir, "shared");
    mkdirSync(shared, { recursive: true });
    const spec = {
      id: "box_volumes",
      hostname: "volumes",
      workdir: "/root",
      image: { digest: "sha256:0", layoutDir: dir },
      cpu: 1,
      memoryMb: 256,
      diskSizeGb: 1,
      network,
      volumes: Array.from({ length: most }, (_, nth) => ({ hostPath: shared, guestPath: `/v${nth}`, readonly: false })),
    };
    await checkSpec(spec);
    const volumes = [...spec.volumes, { hostPath: dir, guestPath: "/more", readonly: false }];
    await expect(checkSpec({ ...spec, volumes })).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
      message: expect.stringMatching(/box_volumes .* volumes: .*use the engine qemu/),
    });
  },
);
