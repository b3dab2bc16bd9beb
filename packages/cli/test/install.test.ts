import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Tmux } from "./support/tmux.ts";

const packageDir = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);

/** A boxrun that npm has installed from the packed package, in a prefix of its own. */
describe("an installed boxrun", () => {
  let root: string;
  let prefix: string;
  let installed: string;
  let env: NodeJS.ProcessEnv;

  /** npm gives its scripts settings of its own, which must not reach the npm of the test. */
  const plainEnv = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const npm = (...args: string[]) => run("npm", args, { env: plainEnv });

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "br-inst-"));
    prefix = join(root, "prefix");
    installed = join(prefix, "lib", "node_modules", "boxrun");
    const { stdout } = await npm("pack", packageDir, "--pack-destination", root, "--silent");
    const tarball = stdout.trim().split("\n").at(-1) ?? "";
    await npm("install", "--global", "--prefix", prefix, "--offline", "--no-audit", "--no-fund", join(root, tarball));
    await mkdir(join(root, "fake"));
    await symlink(process.execPath, join(root, "fake", "node"));
    env = {
      ...plainEnv,
      HOME: root,
      BOXRUN_HOST: undefined,
      BOXRUN_STATE_DIR: join(root, "state"),
      BOXRUN_CACHE_DIR: join(root, "cache"),
      BOXRUN_PORT: "0",
      XDG_CONFIG_HOME: join(root, "config"),
      NO_COLOR: "1",
    };
  }, 120_000);
  afterAll(() => rm(root, { recursive: true, force: true }));

  /** An npm that writes down how it was called, and does `script`. */
  async function withFakeNpm(script: string): Promise<NodeJS.ProcessEnv> {
    const text = `#!/bin/sh\necho "$@" >>'${join(root, "npm-calls")}'\n${script}\n`;
    await rm(join(root, "npm-calls"), { force: true });
    await writeFile(join(root, "fake", "npm"), text, { mode: 0o755 });
    return { ...env, PATH: `${join(root, "fake")}:${dirname(process.execPath)}:/usr/bin:/bin` };
  }

  const calls = () => readFile(join(root, "npm-calls"), "utf8").catch(() => "");

  async function boxrun(args: readonly string[], options: { readonly env?: NodeJS.ProcessEnv } = {}) {
    const bin = join(prefix, "bin", "boxrun");
    const result = run(process.execPath, [bin, ...args], { env: options.env ?? env, cwd: "/" });
    result.child.stdin?.end();
    return await result.then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { readonly code: number; readonly stdout: string; readonly stderr: string }) => error,
    );
  }

  it("says what an upgrade would run", async () => {
    const { stdout } = await boxrun(["upgrade", "--dry-run"]);
    expect(stdout).toBe(`Would run: npm install --global --prefix ${prefix} boxrun@latest\n`);
  });

  it("gives an agent its tools, on a server that it starts", async () => {
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } };
    const messages = [
      { jsonrpc: "2.0", id: 1, method: "initialize", params },
      { jsonrpc: "2.0", method: "notifications/initialized" },
      { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "box_list", arguments: {} } },
    ];
    const result = run(process.execPath, [join(prefix, "bin", "boxrun"), "mcp"], { env });
    const { stdin, stdout } = result.child;
    for (const message of messages) stdin?.write(`${JSON.stringify(message)}\n`);
    stdout?.on("data", (chunk: string) => chunk.includes('"id":2') && stdin?.end());
    try {
      const answers = (await result).stdout
        .trim()
        .split("\n")
        .map((line): unknown => JSON.parse(line));
      expect(answers).toMatchObject([
        { id: 1, result: { serverInfo: { name: "boxrun" } } },
        { id: 2, result: { structuredContent: { boxes: [], total: 0 } } },
      ]);
    } finally {
      await boxrun(["server", "stop"]);
    }
  });

  it("upgrades by npm, and says that the server still is the old one", async () => {
    const { stdout: started } = await boxrun(["server", "start", "--json"]);
    const newer = `sed -i 's/"version": "[^"]*"/"version": "9.9.9"/' '${installed}/package.json'`;
    const before = await readFile(join(installed, "package.json"), "utf8");
    try {
      const { code, stdout, stderr } = await boxrun(["upgrade", "--yes"], { env: await withFakeNpm(newer) });
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^boxrun .* → 9\.9\.9\n$/) });
      expect(await calls()).toBe(`install --global --prefix ${prefix} boxrun@latest\n`);
      expect(stderr).toContain(`The server (pid ${JSON.parse(started).pid}) still is`);
      expect(stderr).toContain("`boxrun server stop`");
    } finally {
      await writeFile(join(installed, "package.json"), before);
      await boxrun(["server", "stop"]);
    }
  });

  it("asks first on a terminal, and takes Enter for no", async () => {
    const fake = await withFakeNpm("exit 0");
    const command = [process.execPath, join(prefix, "bin", "boxrun"), "upgrade"];
    const textEnv = Object.fromEntries(Object.entries(fake).map(([name, value]) => [name, value]));
    await using tmux = await Tmux.start(command, { cols: 200, env: textEnv });
    await tmux.shows(/Run `npm install .*`\? \[y\/N\]/);
    await tmux.press("Enter");
    expect(await tmux.ended()).toBe(0);
    await tmux.shows("Nothing was done.");
    expect(await calls()).toBe("");
  });

  it("does not go on without a terminal to ask on, unless told so", async () => {
    const { code, stderr } = await boxrun(["upgrade"], { env: await withFakeNpm("exit 0") });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("--yes") });
    expect(await calls()).toBe("");
  });

  it("says that npm has failed", async () => {
    const { code, stderr } = await boxrun(["upgrade", "--yes"], { env: await withFakeNpm("echo E404 >&2; exit 1") });
    expect(code).toBe(125);
    expect(stderr).toMatch(/E404\nError: upgrade: `npm install .*` failed; its own messages are above\n/);
  });

  it("is removed by its own uninstall, with all that it kept", async () => {
    await boxrun(["server", "start"]);
    const { code, stdout, stderr } = await boxrun(["uninstall", "--purge", "--yes"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "boxrun is uninstalled.\n" });
    expect(stderr).toContain(`Runs npm uninstall --global --prefix ${prefix} boxrun\n`);
    for (const gone of [installed, join(prefix, "bin", "boxrun"), join(root, "state"), join(root, "cache")]) {
      expect(existsSync(gone), gone).toBe(false);
    }
  });
});
