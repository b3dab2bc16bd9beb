import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

/** The table of docs/copying.md, in every direction. */

let cli: CliWithServer;
let dir: string;
beforeAll(async () => {
  cli = await CliWithServer.start();
  await cli.createBox("dev");
  await cli.createBox("test");
  dir = await mkdtemp(join(tmpdir(), "br-cp-table-"));
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const { signal } = new AbortController();

/** Where files are put and looked for: this host, or a box. */
interface Side {
  readonly prefix: string;
  put(path: string, content: string): Promise<void>;
  /** `path=content` of all files below. */
  files(path: string): Promise<string[]>;
}

const host: Side = {
  prefix: "",
  put: async (path, content) => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  },
  files: async (path) => {
    const names = await readdir(path, { recursive: true });
    const files = names.map(async (name) =>
      (await stat(join(path, name))).isFile() ? [`${name}=${await readFile(join(path, name), "utf8")}`] : [],
    );
    return (await Promise.all(files)).flat().sort();
  },
};

function box(name: string): Side {
  const files = async (path: string, below = ""): Promise<string[]> => {
    const found: string[] = [];
    for (const entry of await cli.server.files(name, join(path, below))) {
      const inner = join(below, entry.name);
      if (entry.type === "dir") found.push(...(await files(path, inner)));
      else {
        const { content } = await cli.server.core.files.read(name, join(path, inner), { signal });
        found.push(`${inner}=${(await content.toArray()).join("")}`);
      }
    }
    return found.sort();
  };
  return {
    prefix: `${name}:`,
    put: (path, content) => cli.putFile(name, path, content),
    files,
  };
}

const before = ["dir/kept=kept", "file=old"];
const directoryMissing = /no directory/;
const notDirectory = /not a directory/;

describe.each([
  ["into a box", "host", "dev"],
  ["out of a box", "dev", "host"],
  ["from box to box", "dev", "test"],
] as const)("cp %s", (_, fromName, toName) => {
  it.each<[string, string, string[] | RegExp, RegExp?]>([
    ["file", "new", [...before, "new=content"]],
    ["file", "new/", [...before, "new/file=content"], directoryMissing],
    ["file", "file", ["dir/kept=kept", "file=content"]],
    ["file", "dir", ["dir/file=content", ...before]],
    ["file", "dir/", ["dir/file=content", ...before]],
    ["tree", "new", [...before, "new/a=1", "new/sub/b=2"]],
    ["tree/", "new", [...before, "new/a=1", "new/sub/b=2"]],
    ["tree", "new/", [...before, "new/tree/a=1", "new/tree/sub/b=2"]],
    ["tree", "dir", ["dir/kept=kept", "dir/tree/a=1", "dir/tree/sub/b=2", "file=old"]],
    ["tree", "file", notDirectory],
    ["tree/.", "new", [...before, "new/a=1", "new/sub/b=2"]],
    ["tree/.", "dir", ["dir/a=1", "dir/kept=kept", "dir/sub/b=2", "file=old"]],
    ["tree/.", "file", notDirectory],
    ["file/.", "new", notDirectory],
    ["missing", "new", /There is no/],
  ])("of %s to %s", async (source, destination, expected, onHost) => {
    const at = await mkdtemp(join(dir, "case-"));
    const [from, to] = [fromName, toName].map((name) => (name === "host" ? host : box(name)));
    if (from === undefined || to === undefined) throw new Error("two sides");
    await from.put(join(at, "from/file"), "content");
    await from.put(join(at, "from/tree/a"), "1");
    await from.put(join(at, "from/tree/sub/b"), "2");
    await to.put(join(at, "to/file"), "old");
    await to.put(join(at, "to/dir/kept"), "kept");

    const result = await cli.run("cp", `${from.prefix}${at}/from/${source}`, `${to.prefix}${at}/to/${destination}`);

    const outcome = toName === "host" ? (onHost ?? expected) : expected;
    if (outcome instanceof RegExp) {
      expect(result).toMatchObject({ code: 125, stdout: "", stderr: expect.stringMatching(outcome) });
      expect(await to.files(join(at, "to"))).toEqual(before);
    } else {
      expect(result).toMatchObject({ code: 0, stdout: "", stderr: "" });
      expect(await to.files(join(at, "to"))).toEqual(outcome.toSorted());
    }
  });
});
