import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { imageSchema, urls } from "@boxrun/contract";
import { buildDebianImage } from "@boxrun/images";
import { type Registry, startRegistry } from "@boxrun/images/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pythonEnvironment, pythonSdkPackages } from "./support/python.ts";
import { TestServer } from "./support/server.ts";

const checkout = fileURLToPath(new URL("../../", import.meta.url));

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write("skipped: boxes of a Debian image: debootstrap needs root\n");

describe.skipIf(!isRoot)("boxes of a Debian image", () => {
  let server: TestServer;
  let registry: Registry;
  let archive: string;
  beforeAll(async () => {
    server = await TestServer.start();
    registry = await startRegistry();
    archive = join(server.stateDir, "debian.tar");
    const cacheDir = process.env.BOXRUN_CACHE_DIR ?? join(homedir(), ".cache/boxrun");
    await buildDebianImage({ outFile: archive, cacheDir });
    await registry.pushArchive("debian:test", archive);
  }, 600_000);
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  it("come up from a registry, three at once from one pull, with bash and python3 in them", async () => {
    const image = `${registry.address}/debian:test`;
    const boxes = await Promise.all([1, 2, 3].map(() => server.http.createBox({ image })));
    expect(new Set(boxes.map((box) => box.image_digest)).size).toBe(1);
    for (const box of boxes) {
      const program = ["bash", "-c", "set -o pipefail; python3 -c 'import sys; print(6 * 7, sys.platform)' | cat"];
      expect(await server.http.run(box.id, program)).toMatchObject({ stdout: "42 linux\n", exitCode: 0 });
      await server.http.json("DELETE", urls.removeBox(box.id, true));
    }
    const { body } = await server.http.json("GET", urls.images());
    expect(
      imageSchema
        .array()
        .parse(body)
        .map((listed) => listed.reference),
    ).toContain(image);
    expect((await server.http.json("DELETE", urls.image(image))).status).toBe(200);
  });

  it("come up from an archive that was imported, by the name that it was given", async () => {
    const response = await server.http.raw("POST", urls.importImage("mine:1"), {
      body: createReadStream(archive),
      headers: { "content-type": "application/x-tar" },
    });
    expect(response.statusCode).toBeLessThan(300);
    await response.body.dump();
    const box = await server.http.createBox({ image: "mine:1" });
    // Set-user-id bits and owners of the image are those of the box.
    expect((await server.http.run(box.id, ["stat", "-c", "%a %U", "/usr/bin/passwd"])).stdout).toBe("4755 root\n");
  });

  it("keep a Python interpreter alive for the notebooks of the examples", async () => {
    const { BOXRUN_HOST: _, BOXRUN_PORT: __, ...others } = process.env;
    const env = { ...others, BOXRUN_SOCKET: server.socketPath, PYTHONPATH: join(checkout, "python/src") };
    const python = join(await pythonEnvironment("python-examples", await pythonSdkPackages()), "python");
    for (const [program, file] of [
      [process.execPath, "typescript/notebook.ts"],
      [python, "python/notebook.py"],
    ] as const) {
      const { stdout } = await promisify(execFile)(program, [join(checkout, "examples", file), "mine:1"], { env });
      expect(stdout).toBe("one cell, and everybody leaves\nhello, notebook\ntotal 6\n");
    }
  });
});
