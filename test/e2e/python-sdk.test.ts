import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pythonSdkEnvironment } from "./support/python.ts";
import { TestServer } from "./support/server.ts";

const execute = promisify(execFile);
const sdk = fileURLToPath(new URL("../../python", import.meta.url));

describe("the Python SDK", () => {
  let bin: string;
  beforeAll(async () => {
    bin = await pythonSdkEnvironment();
  });

  it("is made from this API, and its synchronous client from its asynchronous one", async () => {
    await run("python", "tools/generate.py", "--check");
  });

  it("is formatted, and typed as strictly as mypy and pyright can ask for", async () => {
    await run("ruff", "check", ".");
    await run("ruff", "format", "--check", ".");
    await run("mypy");
    await execute("pyright", ["--project", sdk, "--pythonpath", join(bin, "python")]);
  });

  it("keeps its word on a real server, with real boxes", async () => {
    await using server = await TestServer.start();
    await run("pytest", "--quiet", "--color=no", {
      BOXRUN_TEST_SOCKET: server.socketPath,
      PYTHONPATH: join(sdk, "src"),
    });
  });

  it("and 0.3's program runs on it unchanged", async () => {
    await using server = await TestServer.start();
    const script = fileURLToPath(new URL("clients/python_0_3.py", import.meta.url));
    const { stdout } = await run("python", script, server.socketPath, server.stateDir, {
      PYTHONPATH: join(sdk, "src"),
    });
    expect(JSON.parse(stdout)).toMatchObject({
      created: ["running", "py", "base", "/root"],
      run: [5, "hello\n", ""],
      left: 0,
    });
  });

  describe("as packages", () => {
    let directory: string;
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), "boxrun-sdk-"));
    });
    afterAll(() => rm(directory, { recursive: true, force: true }));

    it("builds a wheel and an sdist, and the wheel works in an environment that has nothing else", async () => {
      // What it is built with is in the environment already (`requires`): an isolated build would fetch that again, into a new one.
      await run("python", "-m", "build", "--no-isolation", "--outdir", directory, ".");
      const made = (await readdir(directory)).sort();
      expect(made.map((name) => name.replace(/-\d+\.\d+\.\d+/, ""))).toEqual([
        "boxrun_sdk-py3-none-any.whl",
        "boxrun_sdk.tar.gz",
      ]);
      const empty = join(directory, "empty");
      await execute("python3", ["-m", "venv", "--without-pip", empty]);
      await execute(join(bin, "pip"), [
        "--python",
        join(empty, "bin/python"),
        "install",
        "--quiet",
        "--disable-pip-version-check",
        join(directory, made[0] ?? ""),
      ]);
      const program =
        "import boxrun_sdk, pathlib; print((pathlib.Path(boxrun_sdk.__file__).parent / 'py.typed').exists(), boxrun_sdk.BoxRun().__class__.__name__)";
      // Whatever this host has set for servers: it is made for an address, and asks nobody.
      const env = { ...process.env, BOXRUN_HOST: "http://127.0.0.1:9090" };
      const { stdout } = await execute(join(empty, "bin/python"), ["-c", program], { env });
      expect(stdout).toBe("True BoxRun\n");
    });
  });

  /** What it says on failure is in its output, not in the error's message. */
  async function run(program: string, ...given: (string | Record<string, string>)[]): Promise<{ stdout: string }> {
    const args = given.filter((item) => typeof item === "string");
    const env = Object.assign({ ...process.env }, ...given.filter((item) => typeof item !== "string"));
    try {
      return await execute(join(bin, program), args, { cwd: sdk, env, maxBuffer: 64 * 1024 * 1024 });
    } catch (error) {
      const { stdout = "", stderr = "" } = Object(error);
      throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
    }
  }
});
