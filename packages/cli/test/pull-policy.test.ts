import type { TestServerOptions } from "@boxrun/server/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cliPath } from "./support/cli.ts";
import { CliWithServer } from "./support/server.ts";
import { Tmux } from "./support/tmux.ts";

type Pull = NonNullable<TestServerOptions["pull"]>;

/** What was asked of the registry. */
let pulled: string[];
let cli: CliWithServer;
beforeEach(async () => {
  pulled = [];
  // Every pull finds a newer image behind the tag.
  const pull: Pull = async (reference) => {
    pulled.push(reference);
    const digest = `sha256:${String(pulled.length).padStart(64, "0")}` as const;
    return { digest, sizeBytes: 1000, config: { env: {}, user: null, workdir: null } };
  };
  cli = await CliWithServer.start({ pull });
});
afterEach(() => cli[Symbol.asyncDispose]());

const boxes = () => cli.server.core.boxes.list();
const digests = () => boxes().map((box) => box.image_digest?.at(-1));
const notHere = (image: string) =>
  new RegExp(`^Error: \\w+( ${image})?: Image ${image} is not on this server\\nHint: .*boxrun images pull`);

describe("create", () => {
  it("pulls an image that is not here, and not again", async () => {
    expect(await cli.run("create", "tool:1")).toMatchObject({ code: 0, stderr: "" });
    expect(await cli.run("create", "tool:1", "--pull", "missing")).toMatchObject({ code: 0 });
    expect(pulled).toEqual(["tool:1"]);
    expect(digests()).toEqual(["1", "1"]);
  });

  it("--pull always asks for what the tag means by now; boxes that there are keep what they have", async () => {
    for (const _ of [1, 2]) expect(await cli.run("create", "--pull", "always", "tool:1")).toMatchObject({ code: 0 });
    expect(pulled).toEqual(["tool:1", "tool:1"]);
    expect(digests()).toEqual(["2", "1"]);
  });

  it("--pull never takes what is here, also by a short name", async () => {
    await cli.run("images", "pull", "python");
    expect(await cli.run("create", "--pull", "never", "python")).toMatchObject({ code: 0 });
    expect(await cli.run("create", "--pull", "never", "python:3.12-slim")).toMatchObject({ code: 0 });
    expect(pulled).toHaveLength(1);
  });

  it("--pull never says what is not here and leaves no box", async () => {
    const refused = await cli.run("create", "--pull", "never", "tool:1");
    expect(refused).toMatchObject({ code: 125, stdout: "", stderr: expect.stringMatching(notHere("tool:1")) });
    expect(pulled).toEqual([]);
    expect(boxes()).toEqual([]);
  });

  it.each(["always", "missing", "never"])("--pull %s takes the built-in image as it is", async (when) => {
    expect(await cli.run("create", "--pull", when, "base")).toMatchObject({ code: 0, stderr: "" });
    expect(pulled).toEqual([]);
  });
});

describe("run", () => {
  it.each([
    ["always", "tool:1", 0, 2],
    ["missing", "tool:1", 0, 1],
    ["never", "tool:1", 0, 1],
    ["missing", "other:1", 0, 2],
    ["never", "other:1", 125, 1],
    ["always", "base", 0, 1],
    ["never", "base", 0, 1],
  ])("--pull %s %s, where tool:1 is here, ends with %i after %i pulls", async (when, image, code, pulls) => {
    await cli.run("images", "pull", "tool:1");
    const result = await cli.run("run", "--pull", when, image, "echo", "ran");
    expect(result).toMatchObject({ code, stdout: code === 0 ? "ran\n" : "" });
    if (code !== 0) expect(result.stderr).toMatch(notHere(image));
    expect(pulled).toHaveLength(pulls);
    expect(boxes()).toEqual([]);
  });
});

describe("shell", () => {
  it("--pull never leaves no box and an untouched terminal, --pull always opens the newest", async () => {
    const shell = (when: string) =>
      Tmux.start([process.execPath, cliPath, "shell", "--pull", when, "tool:1"], { env: cli.env, cols: 120 });
    await using refused = await shell("never");
    expect(await refused.ended()).toBe(125);
    expect(await refused.screen({ history: 10 })).toMatch(notHere("tool:1"));
    expect(boxes()).toEqual([]);

    await cli.run("images", "pull", "tool:1");
    await using opened = await shell("always");
    await opened.shows(/^\$ $|^\$$/m);
    expect(digests()).toEqual(["2"]);
  });
});

describe("--pull with anything else", () => {
  it.each([[["create", "base"]], [["run", "base", "true"]], [["shell", "base"]]])(
    "is a usage error of %j that names the choices",
    async ([verb = "", ...operands]) => {
      expect(await cli.run(verb, "--pull", "allways", ...operands)).toMatchObject({
        code: 2,
        stdout: "",
        stderr: expect.stringMatching(
          /^Error: .*--pull.*'allways' is invalid\. Allowed choices are missing, always, never\./,
        ),
      });
      expect(boxes()).toEqual([]);
    },
  );
});
