import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { defaultCacheDir } from "../src/cache-dir.ts";
import { hostAptSource } from "../src/debian/apt-sources.ts";
import { buildDebianImage } from "../src/index.ts";
import { makeStore } from "./support/store.ts";
import { tempDir } from "./support/temp-dir.ts";

const isRoot = process.getuid?.() === 0;
const needsRoot = isRoot ? "" : " (needs root)";

/** A host's configuration: file names below /etc and their contents. */
async function hostRoot(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await tempDir();
  await mkdir(join(root, "etc/apt/sources.list.d"), { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(root, "etc", name), content);
  return root;
}

const bookworm = "ID=debian\nVERSION_CODENAME=bookworm\n";
const deb822 = `# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /nonexistent/keys.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
`;

test.each<[string, Record<string, string>, object | undefined]>([
  [
    "one line a source",
    { "apt/sources.list": "deb http://a.example/debian bookworm main\n" },
    { mirror: "http://a.example/debian" },
  ],
  [
    "options",
    { "apt/sources.list": "deb [arch=amd64] https://a.example/d bookworm main contrib # x\n" },
    { mirror: "https://a.example/d" },
  ],
  [
    "a file of paragraphs",
    { "apt/sources.list.d/debian.sources": deb822 },
    { mirror: "http://mirror.example/debian", keyring: undefined },
  ],
  [
    "other people's sources beside",
    {
      "apt/sources.list":
        "deb http://x.example nodistro main\ndeb-src http://y.example bookworm main\ndeb http://z.example bookworm main",
    },
    { mirror: "http://z.example" },
  ],
  ["a disk", { "apt/sources.list": "deb cdrom:[Debian]/ bookworm main\n" }, undefined],
  ["a disabled source", { "apt/sources.list.d/a.sources": `Enabled: no\n${deb822}` }, undefined],
  ["nothing", {}, undefined],
])("the host's mirror is found in its apt configuration: %s", async (_, files, expected) => {
  const source = await hostAptSource(await hostRoot({ "os-release": bookworm, ...files }));
  if (expected === undefined) expect(source).toBeUndefined();
  else expect(source).toMatchObject({ suite: "bookworm", ...expected });
});

test.each([
  ["packages", { packages: ["python3", "--evil"] }],
  ["packages", { packages: ["a;b"] }],
  ["suite", { suite: "--foreign" }],
  ["mirror", { suite: "bookworm", mirror: "-x" }],
])("options that make no sense are refused by name: %s", async (field, options) => {
  const dir = await tempDir();
  const build = buildDebianImage({ outFile: join(dir, "out.tar"), cacheDir: dir, ...options });
  await expect(build).rejects.toMatchObject({
    code: "VALIDATION_ERROR",
    message: expect.stringMatching(`^${field}: `),
  });
});

test("without root, the error says so", async () => {
  vi.spyOn(process, "getuid").mockReturnValue(1000);
  const dir = await tempDir();
  const options = {
    outFile: join(dir, "out.tar"),
    cacheDir: dir,
    suite: "bookworm",
    mirror: "http://127.0.0.1:1/debian",
  };
  await expect(buildDebianImage(options).finally(() => vi.restoreAllMocks())).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringContaining("sudo"),
  });
});

test.skipIf(!isRoot)(
  `a mirror that does not answer: an abort ends debootstrap and leaves nothing${needsRoot}`,
  async () => {
    const asked = Promise.withResolvers<void>();
    const server = createServer(() => asked.resolve()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const dir = await tempDir();
    const controller = new AbortController();
    const build = buildDebianImage({
      outFile: join(dir, "out.tar"),
      cacheDir: dir,
      suite: "bookworm",
      mirror: `http://127.0.0.1:${address.port}/debian`,
      signal: controller.signal,
    });
    await asked.promise;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    controller.abort(new Error("given up"));
    await expect(build).rejects.toThrow("given up");
    await closed;
    expect(await readdir(join(dir, "images"))).toEqual([]);
    expect(await readFile("/proc/self/mounts", "utf8")).not.toContain(dir);
  },
);

test.skipIf(!isRoot)(
  `an image with python is built, once, and can be imported${needsRoot}`,
  { timeout: 600_000 },
  async () => {
    const dir = await tempDir();
    const outFile = join(dir, "debian.tar");
    const { reference } = await buildDebianImage({ outFile, cacheDir: defaultCacheDir() });
    const log: string[] = [];
    await buildDebianImage({ outFile, cacheDir: defaultCacheDir(), log: (line) => log.push(line) });
    expect(log).toEqual([expect.stringContaining("from the cache")]);
    const { content } = await makeStore();
    const images = await content.importArchive(createReadStream(outFile), { signal: new AbortController().signal });
    expect(images).toMatchObject([{ references: [reference], config: { workdir: "/root" } }]);
    expect(images[0]?.sizeBytes).toBeLessThan(80_000_000);
  },
);
