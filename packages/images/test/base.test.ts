import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { afterEach, expect, test, vi } from "vitest";
import { buildBaseImage } from "../src/index.ts";
import { makeBase } from "./support/base.ts";
import { tempDir } from "./support/temp-dir.ts";

afterEach(() => vi.unstubAllEnvs());

async function blob(layoutDir: string, digest: string): Promise<Buffer> {
  return readFile(join(layoutDir, "blobs", digest.replace(":", "/")));
}

async function readImage(layoutDir: string) {
  const index = JSON.parse(await readFile(join(layoutDir, "index.json"), "utf8"));
  const digest: string = index.manifests[0].digest;
  const manifest = JSON.parse((await blob(layoutDir, digest)).toString());
  const config = JSON.parse((await blob(layoutDir, manifest.config.digest)).toString());
  const entries = new Map<string, Header & { content: string }>();
  const archive = extract();
  archive.end(gunzipSync(await blob(layoutDir, manifest.layers[0].digest)));
  for await (const entry of archive) {
    const content = await buffer(Readable.from(entry));
    entries.set(entry.header.name.replace(/\/$/, ""), {
      ...entry.header,
      content: content.toString("latin1"),
    });
  }
  return { digest, config, entries };
}

test("the base image has busybox's commands, the usual directories and accounts, and a PATH", async () => {
  const { config, entries } = await readImage(await makeBase({ cacheDir: await tempDir() }));
  expect(config).toMatchObject({ os: "linux", config: { WorkingDir: "/root" } });
  expect(config.config.Env).toEqual([expect.stringMatching(/^PATH=.*\/usr\/bin/), "ENV=/etc/shrc"]);
  expect(entries.get("etc/shrc")?.content).toContain("PS1='\\H:\\w\\$ '");
  for (const command of ["usr/bin/sh", "usr/bin/ls", "usr/bin/tar", "usr/bin/wget", "usr/bin/uname"]) {
    expect(entries.get(command)).toMatchObject({ type: "symlink", linkname: "busybox" });
  }
  expect(entries.get("bin")).toMatchObject({ type: "symlink", linkname: "usr/bin" });
  expect(entries.get("usr/bin/busybox")).toMatchObject({ type: "file", mode: 0o755, uid: 0 });
  expect(entries.get("tmp")).toMatchObject({ type: "directory", mode: 0o1777 });
  expect(entries.get("root")).toMatchObject({ type: "directory", mode: 0o700, uid: 0 });
  expect(entries.get("home/box")).toMatchObject({ type: "directory", uid: 1000, gid: 1000 });
  const passwd = entries.get("etc/passwd")?.content ?? "";
  expect(passwd.split("\n").map((line) => line.split(":")[0])).toEqual(
    expect.arrayContaining(["root", "box", "nobody"]),
  );
  expect(entries.get("usr/lib/os-release")?.content).toContain('NAME="BoxRun base"');
});

test("the base image has bash, jq and make, with all that they load, and stays below 10 MB", async () => {
  const { config, entries } = await readImage(await makeBase({ cacheDir: await tempDir() }));
  expect(config.config.Cmd).toEqual(["/bin/bash"]);
  for (const path of [
    "usr/bin/bash",
    "usr/bin/jq",
    "usr/bin/make",
    "usr/lib64/ld-linux-x86-64.so.2",
    "usr/lib/x86_64-linux-gnu/libc.so.6",
    "usr/lib/x86_64-linux-gnu/libtinfo.so.6",
    "usr/lib/x86_64-linux-gnu/libonig.so.5",
    "usr/lib/locale/C.utf8/LC_CTYPE",
    "usr/share/terminfo/x/xterm-256color",
  ]) {
    expect(entries.get(path), path).toMatchObject({ type: "file", uid: 0 });
  }
  expect(entries.get("etc/shells")?.content).toContain("/bin/bash\n");
  expect(entries.get("etc/bash.bashrc")?.content).toBe(". /etc/shrc\n");
  const sizes = [...entries.values()].map(({ size = 0 }) => size);
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(10e6);
  const paths = [...entries.keys()];
  const beforeTheirParents = paths.filter(
    (path, at) => path.includes("/") && !paths.slice(0, at).includes(dirname(path)),
  );
  expect(beforeTheirParents).toEqual([]);
});

test("where apt has no packages the base image is busybox alone, and the log says why", async () => {
  const cacheDir = await tempDir();
  const log: string[] = [];
  vi.stubEnv("PATH", await tempDir());
  const { config, entries } = await readImage(await buildBaseImage({ cacheDir, log: (line) => log.push(line) }));
  expect(config.config.Cmd).toEqual(["/bin/sh"]);
  expect(entries.has("usr/bin/bash")).toBe(false);
  expect(entries.get("etc/shells")?.content).toBe("/bin/sh\n/bin/ash\n");
  expect(log).toContainEqual(expect.stringMatching(/neither bash nor jq nor make: .*apt-get/));
});

test("the same inputs give the same image, and a second build is found, not made", async () => {
  const [first, second] = [await tempDir(), await tempDir()];
  const layoutDir = await makeBase({ cacheDir: first });
  const other = await makeBase({ cacheDir: second });
  expect((await readImage(other)).digest).toBe((await readImage(layoutDir)).digest);
  const log: string[] = [];
  expect(await makeBase({ cacheDir: first, log: (line) => log.push(line) })).toBe(layoutDir);
  expect(log).toEqual([expect.stringContaining("up to date")]);
});

test("two builds at once end with one image and nothing half-made", async () => {
  const cacheDir = await tempDir();
  const dirs = await Promise.all([makeBase({ cacheDir }), makeBase({ cacheDir })]);
  expect(new Set(dirs).size).toBe(1);
  expect((await readdir(join(cacheDir, "images"))).filter((name) => name.startsWith("."))).toEqual([]);
});
