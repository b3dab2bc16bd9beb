import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine, EngineImage } from "@boxrun/core";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { boxSpec, create, never, newId, sh } from "./support/boxes.ts";
import { dir, file, layerTar, writeLayout } from "./support/flatten-layers.ts";
import { openTestHost } from "./support/host.ts";

const host = await openTestHost();
afterAll(() => host[Symbol.asyncDispose]());

const named = z.object({ digest: z.string() });

/** The base image with one more layer. */
async function baseWith(layer: Buffer): Promise<EngineImage> {
  const blob = (digest: string) => join(host.image.layoutDir, "blobs", digest.replace(":", "/"));
  const manifest = JSON.parse(await readFile(blob(host.image.digest), "utf8"));
  const layers = z.object({ layers: z.array(named) }).parse(manifest).layers;
  const layoutDir = await writeLayout([
    ...(await Promise.all(layers.map(({ digest }) => readFile(blob(digest))))),
    layer,
  ]);
  const digest = `sha256:${createHash("sha256").update(layer).digest("hex")}`;
  return { digest, layoutDir };
}

const oddLayer = layerTar([
  dir("run/postgresql", { mode: 0o2775, uid: 70, gid: 70 }),
  file("run/seed", "from the image\n"),
  file("etc/hosts", "192.0.2.1 builder\n"),
]);

/** Disks that are made from now on are full soon: 64 MB, and 2048 names. */
function makeDisksSmall(): void {
  const dir = mkdtempSync(join(tmpdir(), "mkfs-"));
  const real = execFileSync("sh", ["-c", "PATH=$PATH:/usr/sbin:/sbin command -v mkfs.ext4"], {
    encoding: "utf8",
  }).trim();
  writeFileSync(join(dir, "mkfs.ext4"), `#!/bin/sh\nexec ${real} -N 2048 "$@" 64M\n`, { mode: 0o755 });
  vi.stubEnv("PATH", `${dir}:${process.env.PATH}`);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(dir, { recursive: true });
  });
}

/** Takes every name first, and then every byte: a directory that grows needs some of those. */
const fillDisk =
  "mkdir /root/many; touch /root/fill; cd /root/many; seq 4000 | xargs touch 2>/dev/null; " +
  "dd if=/dev/zero of=/root/fill bs=1M 2>/dev/null; dd if=/dev/zero of=/root/fill bs=1k oflag=append conv=notrunc 2>/dev/null";

async function ending(engine: Engine, boxId: string, script: string) {
  const cmd = ["sh", "-c", script];
  const spec = { id: newId("exec"), cmd, env: {}, workdir: "/", user: null, stdin: false, tty: null, timeoutMs: null };
  const exec = await engine.exec(boxId, spec);
  for await (const _ of exec.output);
  return await exec.exit;
}

test("a box of an image with a /run of its own, filled to the last name and byte: it is usable, and starts again", async () => {
  const engine = host.makeEngine();
  const spec = boxSpec(host, { image: await baseWith(oddLayer), workdir: "/srv/not/in/the/image" });
  makeDisksSmall();
  await create(engine, spec);
  onTestFinished(() => engine.remove(spec.id));
  const say = async (script: string) => (await sh(engine, spec.id, script)).stdout;

  expect(await say("stat -c '%a %u:%g' /run/postgresql; cat /run/seed; stat -c %a /srv/not/in/the/image")).toBe(
    "2775 70:70\nfrom the image\n755\n",
  );
  expect(await say("cat /etc/hosts")).toMatch(/127\.0\.1\.1\sbox\n/);

  // Each of them may be filled, and together they leave the box enough to go on.
  const fillMemory =
    "for f in /dev/shm/f /run/f /dev/f; do dd if=/dev/zero of=$f bs=1M 2>/dev/null; done; echo still here";
  expect(await say(fillMemory)).toBe("still here\n");
  expect(await say("echo x > /run/seed; rm /dev/shm/f /run/f /dev/f; echo x > /run/seed; cat /run/seed")).toBe("x\n");

  // A program that takes all memory, and one whose child does.
  const hog = "dd if=/dev/zero of=/dev/null bs=200M count=1";
  expect(await ending(engine, spec.id, `exec ${hog}`)).toMatchObject({
    code: 137,
    reason: "signaled",
    message: expect.stringContaining("ran out of memory, and its kernel killed the program"),
  });
  expect(await ending(engine, spec.id, `${hog}; exit 3`)).toMatchObject({
    code: 3,
    message: expect.stringContaining("killed a process that the program had started"),
  });
  expect((await ending(engine, spec.id, "kill -KILL $$")).message).toBeUndefined();

  await sh(engine, spec.id, "echo '10.9.8.7 db.internal' >> /etc/hosts; echo other > /etc/hostname");
  await sh(engine, spec.id, fillDisk);
  expect(await say("echo alive; touch /root/one-more || echo full")).toContain("alive\nfull\n");
  await engine.stop(spec.id);
  await engine.start(spec, { signal: never() });
  expect(await say("cat /run/seed; tail -n 1 /etc/hosts; cat /etc/hostname; hostname")).toBe(
    "from the image\n10.9.8.7 db.internal\nother\nother\n",
  );
  expect(await say("rm -r /root/many /root/fill; echo x > /root/one-more && cat /root/one-more")).toBe("x\n");
});
