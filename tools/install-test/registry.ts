import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** What the registry is installed from. Its own wish for node-fetch is a tag, which not every mirror has. */
const verdaccio = {
  private: true,
  dependencies: { verdaccio: "6.1.2" },
  overrides: { "node-fetch": "2.7.0" },
} as const;

/** An npm registry on loopback: what is published to it, and beside that whatever this host's own registry has. */
export class Registry {
  readonly url: string;
  readonly #dir: string;
  readonly #stop: () => Promise<void>;

  private constructor(url: string, dir: string, stop: () => Promise<void>) {
    this.url = url;
    this.#dir = dir;
    this.#stop = stop;
  }

  static async start(cacheDir: string, dir: string): Promise<Registry> {
    const program = await installed(cacheDir);
    await mkdir(dir, { recursive: true });
    const url = `http://127.0.0.1:${await freePort()}`;
    const upstream = (await exec("npm", ["config", "get", "registry"])).stdout.trim();
    const settings = {
      storage: join(dir, "storage"),
      uplinks: { upstream: { url: upstream } },
      packages: {
        "@boxrun/*": { access: "$all", publish: "$all" },
        boxrun: { access: "$all", publish: "$all" },
        "**": { access: "$all", proxy: "upstream" },
      },
      max_body_size: "100mb",
      log: { type: "stdout", format: "pretty", level: "http" },
    };
    // JSON is YAML.
    await writeFile(join(dir, "config.yaml"), JSON.stringify(settings));
    // npm does not publish without one; anybody may.
    await writeFile(join(dir, "npmrc"), `${url.replace("http:", "")}/:_authToken=nobody\nregistry=${url}/\n`);
    const child = spawn(process.execPath, [program, "--config", join(dir, "config.yaml"), "--listen", url], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    const stop = async () => {
      child.kill("SIGTERM");
      await ended;
    };
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes("http address")) break;
    }
    if (child.exitCode !== null) throw new Error("verdaccio ended at once");
    child.stdout.resume();
    return new Registry(url, dir, stop);
  }

  /** Packed packages, newer ones of the same name as the latest. */
  async publish(tarballs: readonly string[]): Promise<void> {
    for (const tarball of tarballs) {
      await exec("npm", ["publish", tarball, "--userconfig", join(this.#dir, "npmrc"), "--registry", `${this.url}/`], {
        cwd: this.#dir,
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }
}

/** The program; installed once. */
async function installed(cacheDir: string): Promise<string> {
  const dir = join(cacheDir, "test", `verdaccio-${verdaccio.dependencies.verdaccio}`);
  if (!existsSync(dir)) {
    await mkdir(join(cacheDir, "test"), { recursive: true });
    const scratch = await mkdtemp(join(cacheDir, "test", ".verdaccio-"));
    try {
      await writeFile(join(scratch, "package.json"), JSON.stringify(verdaccio));
      await exec("npm", ["install", "--prefix", scratch, "--no-audit", "--no-fund", "--ignore-scripts"]);
      await rename(scratch, dir);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
  return join(dir, "node_modules/verdaccio/bin/verdaccio");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}
