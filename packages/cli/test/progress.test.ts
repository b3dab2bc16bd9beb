import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createWriteStream, type WriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createImageContent } from "@boxrun/images";
import { startBrake, startRegistry } from "@boxrun/images/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packFile } from "../src/copy/pack.ts";
import { cliPath } from "./support/cli.ts";
import { CliWithServer } from "./support/server.ts";
import { Tmux } from "./support/tmux.ts";

/** Everything slow here is so because the test holds it back. */

const utf8 = { LC_ALL: "C.UTF-8" };
const boxrun = `${process.execPath} ${cliPath}`;

describe("a copy in a terminal", () => {
  let cli: CliWithServer;
  let dir: string;
  beforeAll(async () => {
    cli = await CliWithServer.start();
    await cli.createBox("dev");
    dir = await mkdtemp(join(tmpdir(), "br-progress-"));
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  /** A terminal in which a tar of one file of 4 MB is copied, as far as the test lets it come. */
  async function startCopy(name: string, env: Record<string, string>) {
    const pipe = join(dir, `${name}.pipe`);
    execFileSync("mkfifo", [pipe]);
    const command = `exec ${boxrun} cp - dev:/${name} < ${pipe}`;
    const terminal = await Tmux.start(["sh", "-c", command], { env: { ...cli.env, ...env } });
    const content = randomBytes(4_000_000);
    const file = Readable.from([content]);
    const bytes = await buffer(
      packFile({ name: "file", sizeBytes: content.length, mode: 0o644, mtimeNs: 0n, content: file }),
    );
    const source = createWriteStream(pipe);
    return { terminal, source, bytes };
  }
  const give = (source: WriteStream, bytes: Uint8Array) => new Promise((resolve) => source.write(bytes, resolve));
  const names = async (path: string) => (await cli.server.files("dev", path)).map(({ name }) => name);

  it("shows how far it is, follows the window, and ends with a line that says how much and how fast", async () => {
    const { terminal, source, bytes } = await startCopy("shown", utf8);
    await using _ = terminal;
    await give(source, bytes.subarray(0, 1_000_000));
    await terminal.shows(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] Copying {2}1\.0 MB/);
    await terminal.resize(15, 10);
    await give(source, bytes.subarray(1_000_000, 2_000_000));
    await terminal.shows((screen) => /^\S Copying {2}2\.0$/m.test(screen) && screen.match(/Copying/g)?.length === 1);
    await terminal.resize(80, 24);
    await terminal.shows(/Copying {2}2\.0 MB/);
    source.end(bytes.subarray(2_000_000));
    expect(await terminal.ended()).toBe(0);
    const screen = await terminal.screen({ history: 10 });
    expect(screen).toMatch(/^copied 4\.0 MB in \d+ s, \S+ [kM]?B\/s$/m);
    expect(screen).not.toContain("Copying");
  });

  it("is plain ASCII where the locale is", async () => {
    const { terminal, source, bytes } = await startCopy("ascii", { LC_ALL: "C" });
    await using _ = terminal;
    await give(source, bytes.subarray(0, 1_000_000));
    await terminal.shows(/^[|/\\-] Copying {2}1\.0 MB/m);
    source.end(bytes.subarray(1_000_000));
    expect(await terminal.ended()).toBe(0);
  });

  it("that Ctrl-C ends leaves no half file, a clean line, and 130", async () => {
    const { terminal, source, bytes } = await startCopy("interrupted", utf8);
    await using _ = terminal;
    source.on("error", () => undefined);
    await give(source, bytes.subarray(0, 1_000_000));
    await terminal.shows("Copying");
    await terminal.press("C-c");
    expect(await terminal.ended()).toBe(130);
    source.destroy();
    expect(await terminal.screen({ history: 10 })).not.toContain("Copying");
    expect(await names("/")).not.toContain("file");
    expect(await names("/interrupted").catch(() => [])).toEqual([]);
  });
});

describe("a pull in a terminal", () => {
  it("shows each layer and the whole, also for run, and ends with a line that says how much and how fast", async () => {
    await using registry = await startRegistry();
    await using brake = await startBrake(registry.address);
    const dir = await mkdtemp(join(tmpdir(), "br-pull-"));
    const cacheDir = join(dir, "cache");
    await using cli: CliWithServer = await CliWithServer.start({
      pull: (reference, options) =>
        createImageContent({ dir, cacheDir, logger: cli.server.logger, pullIdleTimeoutMs: 60_000 }).pull(
          reference,
          options,
        ),
    });
    const [big, bigger] = [1_000_000, 1_500_000].map((bytes) => ({ content: randomBytes(bytes).toString("hex") }));
    const digest = await registry.push("tool:1", { layers: [big ?? {}, bigger ?? {}] });
    const manifest = JSON.parse(await readFile(registry.blobFile(digest), "utf8"));
    const [first = "", second = ""] = manifest.layers.map((layer: { digest: string }) => layer.digest);
    brake.hold(first, 1_000_000);
    brake.hold(second, 2_500_000);
    const short = (layer: string) => layer.slice("sha256:".length, "sha256:".length + 12);

    const image = `${brake.address}/tool:1`;
    await using terminal = await Tmux.start(["sh", "-c", `${boxrun} run ${image} -- echo the program ran`], {
      env: { ...cli.env, ...utf8 },
      cols: 100,
    });
    await terminal.shows(/Pulling .* 69 % +3\.5 MB of 5\.0 MB/);
    await terminal.shows(new RegExp(`^ {2}${short(first)} {2}━+╸?─+ {3}1\\.0 MB of 2\\.0 MB`, "m"));
    await terminal.shows(new RegExp(`^ {2}${short(second)} {2}━+╸?─+ {3}2\\.5 MB of 3\\.0 MB`, "m"));
    brake.release();
    expect(await terminal.ended()).toBe(0);
    const end = await terminal.screen({ history: 20 });
    expect(end).toMatch(/^pulled \S+: 5\.0 MB in \d+ s, /m);
    expect(end).toMatch(/^the program ran$/m);
    expect(end).not.toContain("Pulling");
    await rm(dir, { recursive: true, force: true });
  });
});
