import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultCacheDir } from "@boxrun/host";
import { type Block, outputFault } from "../../../tools/docs/blocks.ts";
import { pythonSdkEnvironment } from "./python.ts";
import { cliPath, TestServer } from "./server.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** What one example may take: a box boots in some seconds where CPUs are emulated. */
const blockMs = 150_000;

/**
 * Where a page's examples run: a home directory of its own, in which `~/.boxrun` has a server with real boxes, and a directory that they
 * share. What they export, and where they go, the next one finds.
 */
export class DocsPlace implements AsyncDisposable {
  readonly #home: string;
  readonly #server: TestServer;
  readonly #env: NodeJS.ProcessEnv;
  #printed = "";
  #count = 0;

  private constructor(home: string, server: TestServer, env: NodeJS.ProcessEnv) {
    this.#home = home;
    this.#server = server;
    this.#env = env;
  }

  static async open(): Promise<DocsPlace> {
    const home = await mkdtemp(join(tmpdir(), "br-docs-"));
    const bin = join(home, "bin");
    const work = join(home, "work");
    await mkdir(bin);
    await mkdir(join(work, "node_modules"), { recursive: true });
    await symlink(join(root, "packages/sdk"), join(work, "node_modules/boxrun-sdk"));
    await writeFile(join(bin, "boxrun"), `#!/bin/sh\nexec '${process.execPath}' '${cliPath}' "$@"\n`, { mode: 0o755 });
    // There is no registry to ask.
    await writeFile(join(bin, "npx"), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
    const stateDir = join(home, ".boxrun");
    // As of a server that was started in the background.
    const server = await TestServer.start({ stateDir, args: ["--log-file", join(stateDir, "server.log")] });
    const { BOXRUN_STATE_DIR, BOXRUN_HOST, BOXRUN_LOG_LEVEL, ...inherited } = server.env;
    const env = {
      ...inherited,
      HOME: home,
      XDG_CONFIG_HOME: join(home, ".config"),
      // What set-up has built is where it is, whatever the home.
      BOXRUN_CACHE_DIR: defaultCacheDir(),
      PATH: [bin, await pythonSdkEnvironment(), dirname(process.execPath), process.env.PATH].join(":"),
      PYTHONPATH: join(root, "python/src"),
      BOXRUN_PORT: "0",
      NO_COLOR: "1",
    };
    return new DocsPlace(home, server, env);
  }

  /** Runs a block, or holds what it has printed against the page. Throws with what the page gets wrong. */
  async do(block: Block): Promise<void> {
    if (block.kind === "output") {
      const fault = outputFault(block.text, this.#printed);
      if (fault !== undefined) throw new Error(`${block.page}:${block.line}: ${fault}`);
    }
    if (block.kind !== "run") return;
    const { code, stdout, stderr } = await this.#run(block);
    this.#printed = stdout;
    if ((code !== 0) === block.fails) return;
    const told = `it printed:\n${stdout}\nand on standard error:\n${stderr}`;
    throw new Error(`${block.page}:${block.line}: the example ended with ${code}; ${told}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    await rm(this.#home, { recursive: true, force: true });
  }

  async #run({ language, text }: Extract<Block, { kind: "run" }>) {
    this.#count += 1;
    const file = join(this.#home, "work", `.example-${this.#count}.${language === "python" ? "py" : language}`);
    const state = join(this.#home, "exported.sh");
    // A subshell, so that an `exit` in it ends nothing else; what it exports outlives it.
    const script = `set -a; [ ! -e '${state}' ] || . '${state}'; trap "export -p > '${state}'; echo cd '\\"\\$PWD\\"' >> '${state}'" EXIT; set -eu\n${text}`;
    await writeFile(file, language === "sh" ? script : text);
    const program = { sh: "bash", ts: process.execPath, python: "python" }[language];
    const { promise, resolve } = Promise.withResolvers<{ code: number | string; stdout: string; stderr: string }>();
    const options = { cwd: join(this.#home, "work"), env: this.#env, timeout: blockMs, maxBuffer: 64 * 1024 * 1024 };
    const child = execFile(program, [file], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? 1), stdout, stderr });
    });
    child.stdin?.end();
    return promise;
  }
}
