import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImportedImage } from "@boxrun/core";
import { expect, test } from "vitest";
import { type Blob, hostArchitecture as host, named, on, TestLayout, types } from "./support/layout.ts";
import { tar, tarOf } from "./support/make-image.ts";
import { empty, holdings, makeStore } from "./support/store.ts";
import { tempDir } from "./support/temp-dir.ts";

const other = host === "amd64" ? "arm64" : "amd64";
const layerTar = await tar({ "etc/x": "1" });
const otherTar = await tar({ "etc/other": "2" });

const plain = (layout: TestLayout) => layout.blob(types.layer, layerTar);
const image = (layout: TestLayout, config: object = {}) => layout.image([plain(layout)], { config });
const foreign = (layout: TestLayout) =>
  layout.image([layout.blob(types.layer, otherTar)], { config: { architecture: other } });
const attestation = (layout: TestLayout) =>
  layout.image([layout.blob("application/vnd.in-toto+json", {})], {
    config: { architecture: "unknown", os: "unknown" },
  });
const artifact = (layout: TestLayout) =>
  layout.image([], { configType: "application/vnd.oci.empty.v1+json", manifest: { artifactType: "text/spdx" } });

interface Expected {
  readonly references?: readonly string[];
  readonly config?: object;
  /** What it runs by itself. Default: nothing. */
  readonly command?: readonly string[];
  /** Whose digest the image has, where that is not converted. */
  readonly blob?: Blob;
}

async function imported(build: (layout: TestLayout) => readonly Blob[]) {
  const work = await tempDir();
  const layout = new TestLayout(join(work, "layout"));
  await layout.finish(build(layout));
  const { dir, content } = await makeStore();
  const body = createReadStream(await tarOf(join(work, "layout"), join(work, "image.tar")));
  const images = content.importArchive(body, { signal: new AbortController().signal });
  return { dir, content, images };
}

test.each<[string, (layout: TestLayout) => { blobs: readonly Blob[]; expected: readonly Expected[] }]>([
  [
    "several platforms side by side, and an attestation",
    (layout) => {
      const own = image(layout);
      const blobs = [
        named(on(foreign(layout), other), "a:1"),
        named(on(own, host), "a:1"),
        named(on(attestation(layout), "unknown", {}, "unknown"), "a:1"),
      ];
      return { blobs, expected: [{ references: ["a:1"], blob: own }] };
    },
  ],
  [
    "an index of several platforms",
    (layout) => {
      const own = image(layout);
      return {
        blobs: [named(layout.index([on(foreign(layout), other), on(own, host)]), "a:1")],
        expected: [{ references: ["a:1"], blob: own }],
      };
    },
  ],
  [
    "an index in an index, named inside",
    (layout) => {
      const own = image(layout);
      const inner = layout.index([named(on(own, host), "inner:1")]);
      return { blobs: [layout.index([on(inner, host)])], expected: [{ references: ["inner:1"], blob: own }] };
    },
  ],
  [
    "an index without platforms: the configs say it",
    (layout) => {
      const own = image(layout);
      return {
        blobs: [named(layout.index([foreign(layout), own, artifact(layout)]), "a:1")],
        expected: [{ blob: own }],
      };
    },
  ],
  [
    "an index with a manifest for each generation of the CPU: the one that all have",
    (layout) => {
      const own = image(layout, { author: "all" });
      const newer = image(layout, { author: "newer" });
      return { blobs: [layout.index([on(newer, host, { variant: "v9" }), on(own, host)])], expected: [{ blob: own }] };
    },
  ],
  [
    "an index of which the archive holds one platform",
    (layout) => {
      const own = image(layout);
      const absent = { mediaType: types.manifest, digest: `sha256:${"1".repeat(64)}`, size: 7 };
      return { blobs: [named(layout.index([on(absent, other), on(own, host)]), "a:1")], expected: [{ blob: own }] };
    },
  ],
  [
    "two images, each for several platforms",
    (layout) => {
      const [one, two] = [image(layout, { author: "1" }), image(layout, { author: "2" })];
      const blobs = [
        named(layout.index([on(one, host), on(foreign(layout), other)]), "one:1"),
        named(layout.index([on(two, host)]), "two:1"),
      ];
      return {
        blobs,
        expected: [
          { references: ["one:1"], blob: one },
          { references: ["two:1"], blob: two },
        ],
      };
    },
  ],
  [
    "an image beside what refers to it",
    (layout) => {
      const own = image(layout);
      const signature = layout.image([], {
        configType: "application/vnd.oci.empty.v1+json",
        manifest: { subject: own, artifactType: "x/y" },
      });
      return { blobs: [named(own, "a:1"), signature], expected: [{ references: ["a:1"], blob: own }] };
    },
  ],
  [
    "a config that says nothing of its platform",
    (layout) => ({ blobs: [image(layout, { architecture: undefined, os: undefined })], expected: [{}] }),
  ],
  [
    "a config of nothing but its layers",
    (layout) => ({ blobs: [image(layout, { config: undefined })], expected: [{}] }),
  ],
  [
    "a config in which everything empty is null",
    (layout) => {
      const config = {
        config: { User: null, Env: null, WorkingDir: null, Entrypoint: null, Cmd: null, Volumes: null },
        history: null,
        variant: null,
      };
      return { blobs: [image(layout, config)], expected: [{ config: { env: {}, user: null, workdir: null } }] };
    },
  ],
  [
    "a config with everything that there is",
    (layout) => {
      const config = {
        created: "2026-01-01T00:00:00Z",
        author: "someone",
        "os.version": "1",
        "os.features": ["x"],
        config: {
          User: "app:staff",
          ExposedPorts: { "80/tcp": {} },
          Env: ["A=1", "B=x=y", "EMPTY=", "A=2", "NOVALUE", "=odd"],
          Entrypoint: ["/bin/x"],
          Cmd: ["y"],
          Volumes: { "/data": {} },
          WorkingDir: "/srv/../app",
          Labels: { a: "b" },
          StopSignal: "SIGRTMIN+3",
          ArgsEscaped: true,
          Healthcheck: { Test: ["NONE"] },
          OnBuild: ["RUN x"],
        },
        history: [{ created_by: "x", empty_layer: true }, { comment: "y" }],
      };
      const found = { env: { A: "2", B: "x=y", EMPTY: "" }, user: "app:staff", workdir: "/app" };
      return { blobs: [image(layout, config)], expected: [{ config: found, command: ["/bin/x", "y"] }] };
    },
  ],
  [
    "a command alone",
    (layout) => ({
      blobs: [image(layout, { config: { Cmd: ["sh", "-c", "x"] } })],
      expected: [{ command: ["sh", "-c", "x"] }],
    }),
  ],
  [
    "commands that can't be run: none",
    (layout) => ({
      blobs: [image(layout, { config: { Entrypoint: "x", Cmd: ["a\0b"] } })],
      expected: [{}],
    }),
  ],
  [
    "a working directory that is not absolute: one below the root",
    (layout) => ({
      blobs: [image(layout, { config: { WorkingDir: "app" } })],
      expected: [{ config: { workdir: "/app" } }],
    }),
  ],
  [
    "no layers, history alone",
    (layout) => ({ blobs: [layout.image([], { config: { history: [{ empty_layer: true }] } })], expected: [{}] }),
  ],
  ["a layer twice", (layout) => ({ blobs: [layout.image([plain(layout), plain(layout)])], expected: [{}] })],
  [
    "a layer of no bytes",
    (layout) => ({ blobs: [layout.image([layout.blob(types.layer, Buffer.alloc(0))])], expected: [{}] }),
  ],
  [
    "layers that may not be passed on, and are here",
    (layout) => {
      const layer = layout.blob("application/vnd.oci.image.layer.nondistributable.v1.tar", layerTar);
      const own = layout.image([{ ...layer, urls: ["http://127.0.0.1:1/layer"] }]);
      return { blobs: [own], expected: [{ blob: own }] };
    },
  ],
  [
    "annotations, and fields that are yet to be invented",
    (layout) => {
      const own = layout.image([plain(layout)], { manifest: { annotations: { a: "b" }, invented: [1] } });
      return {
        blobs: [{ ...own, data: "e30=", urls: [], annotations: { other: "x" } }],
        expected: [{ references: [], blob: own }],
      };
    },
  ],
  [
    "documents of Docker's kinds",
    (layout) => {
      const layer = { ...plain(layout), mediaType: types.dockerLayer };
      const own = layout.image([layer], {
        configType: types.dockerConfig,
        manifest: { mediaType: types.dockerManifest },
      });
      const blobs = [named(layout.index([on(own, host)], types.dockerIndex), "a:1")];
      return { blobs, expected: [{ references: ["a:1"] }] };
    },
  ],
])("%s is taken", async (_, build) => {
  let expected: readonly Expected[] = [];
  const { dir, content, images } = await imported((layout) => {
    const built = build(layout);
    expected = built.expected;
    return built.blobs;
  });
  const found: readonly ImportedImage[] = await images;
  expect(found).toHaveLength(expected.length);
  for (const [index, { blob, command, ...parts }] of expected.entries()) {
    expect(await content.ownCommand(found[index]?.digest ?? "")).toEqual(command);
    expect(found[index]).toMatchObject(blob === undefined ? parts : { ...parts, digest: blob.digest });
  }
  expect(await holdings(dir)).toMatchObject({
    layouts: found.map(({ digest }) => digest.slice(7)).sort(),
    scratch: [],
  });
  const index = JSON.parse(await readFile(join(content.layoutDir(found[0]?.digest ?? ""), "index.json"), "utf8"));
  expect(index.manifests).toMatchObject([{ mediaType: types.manifest, digest: found[0]?.digest }]);
});

test.each<[string, (layout: TestLayout) => readonly Blob[], RegExp]>([
  [
    "images for other machines alone",
    (layout) => [
      named(layout.index([on(foreign(layout), other), on(attestation(layout), "unknown", {}, "unknown")]), "a:1"),
    ],
    new RegExp(`no image for linux/${host}; it has linux/${other}, an attestation`),
  ],
  ["Windows", (layout) => [on(image(layout, { os: "windows" }), host, {}, "windows")], /it has windows/],
  ["an artifact", (layout) => [artifact(layout)], /vnd.oci.empty.v1\+json, no image/],
  [
    "layers that are no layers",
    (layout) => [layout.image([layout.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", layerTar)])],
    /not a container image/,
  ],
  [
    "a layer that is missing",
    (layout) => [layout.image([{ mediaType: types.layer, digest: `sha256:${"1".repeat(64)}`, size: 1 }])],
    /it is missing/,
  ],
  [
    "a layer that is only an address",
    (layout) => {
      const mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
      return [
        layout.image([{ mediaType, digest: `sha256:${"1".repeat(64)}`, size: 1, urls: ["http://127.0.0.1:1/x"] }]),
      ];
    },
    /fetches nothing/,
  ],
  [
    "a good image beside one that is damaged",
    (layout) => {
      const damaged = layout.image([{ ...plain(layout), size: 1 }]);
      return [named(image(layout), "good:1"), named(damaged, "damaged:1")];
    },
    /bytes where the manifest says 1/,
  ],
  [
    "indexes without end",
    (layout) => {
      let blob = layout.index([image(layout)]);
      for (let depth = 0; depth < 20; depth++) blob = layout.index([blob]);
      return [blob];
    },
    /nested deeper/,
  ],
  [
    "an index that grows with every level",
    (layout) => {
      let blob = foreign(layout);
      for (let depth = 0; depth < 6; depth++) blob = layout.index(Array.from({ length: 20 }, () => blob));
      return [blob];
    },
    /more than 4096 manifests/,
  ],
])("%s: refused with its reason, and nothing is left", async (_, build, reason) => {
  const { dir, images } = await imported(build);
  await expect(images).rejects.toMatchObject({ code: "VALIDATION_ERROR", message: expect.stringMatching(reason) });
  expect(await holdings(dir)).toEqual(empty);
});
