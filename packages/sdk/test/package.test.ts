import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { MemoryHost } from "@boxrun/engine-testkit";
import { startTestServer, type TestServer } from "@boxrun/server/testing";
import { publint } from "publint";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { otherRuntimes, plainEnv } from "./support/other-runtimes.ts";

const here = fileURLToPath(new URL("..", import.meta.url));
const bin = fileURLToPath(new URL("../../../node_modules/.bin/", import.meta.url));
const systemNode = "/usr/bin/node";
const execute = promisify(execFile);

/** The package as it is published, installed from its tarball where there is nothing else. */
describe("the packed package", () => {
  let dir: string;
  let tarball: string;
  let server: TestServer;
  let runtimesBin: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "br-sdk-package-"));
    await execute(process.execPath, [join(here, "build.mjs")]);
    const { stdout } = await execute("npm", ["pack", join(here, "dist"), "--silent"], { cwd: dir, env: plainEnv });
    tarball = join(dir, stdout.trim());
    await writeFile(join(dir, "package.json"), '{ "type": "module" }');
    await execute("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", tarball], {
      cwd: dir,
      env: plainEnv,
    });
    await copyFile(new URL("programs/tour.ts", import.meta.url), join(dir, "tour.ts"));
    const lib = ["es2024", "esnext.disposable", "dom", "dom.asynciterable"];
    const compilerOptions = { target: "es2022", lib, module: "nodenext", strict: true, types: [] };
    await writeFile(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["tour.ts"] }));
    runtimesBin = await otherRuntimes();
    server = await startTestServer({
      host: new MemoryHost(),
      tcp: { host: "127.0.0.1", port: 0 },
    });
  }, 300_000);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  it("has nothing that publint or are-the-types-wrong object to", async () => {
    const { messages } = await publint({ pkgDir: join(dir, "node_modules/boxrun-sdk"), strict: true });
    expect(messages).toEqual([]);
    const wrongTypes = fileURLToPath(new URL("support/wrong-types.ts", import.meta.url));
    const { stdout } = await execute(process.execPath, [wrongTypes, tarball]);
    expect(JSON.parse(stdout)).toEqual([
      // node10 knows no exports, and no ES modules either.
      expect.objectContaining({ kind: "NoResolution", resolutionKind: "node10" }),
    ]);
  });

  it("needs nothing of the workspace, and little else", async () => {
    const { dependencies } = JSON.parse(await readFile(join(dir, "node_modules/boxrun-sdk/package.json"), "utf8"));
    expect(Object.keys(dependencies)).toEqual(["eventsource-parser", "tar", "ws", "zod"]);
    const types = join(dir, "node_modules/boxrun-sdk/types");
    const imported = new Set<string>();
    for (const entry of await readdir(types, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const text = await readFile(join(entry.parentPath, entry.name), "utf8");
      for (const [, name = ""] of text.matchAll(/(?:\bfrom |\bimport\()"([^"]+)"/g)) {
        if (!name.startsWith(".")) imported.add(/^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
        else expect(existsSync(join(entry.parentPath, name.replace(/\.js$/, ".d.ts"))), name).toBe(true);
      }
    }
    expect([...imported]).toEqual(["zod"]);
  });

  it("type-checks a strict program, its own types included, and runs as JavaScript", async () => {
    await execute(join(bin, "tsc"), ["-p", dir, "--skipLibCheck", "false"]).catch((error: unknown) => {
      throw new Error(`tsc: ${String(Object(error).stdout)}`);
    });
    const compiled = await readFile(join(dir, "tour.js"), "utf8");
    expect(compiled).not.toContain("await using");
  });

  const runtimes: Record<string, () => string[]> = {
    [`Node ${process.version}`]: () => [process.execPath],
    ...(existsSync(systemNode) ? { "the system's Node": () => [systemNode] } : {}),
    Bun: () => [join(runtimesBin, "bun")],
    Deno: () => [join(runtimesBin, "deno"), "run", "--allow-all", "--quiet"],
  };
  const expected = {
    status: "running",
    ended: [4, "out\n", "err\n"],
    fed: "fed",
    streamed: "streamed 0",
    again: "content",
    terminal: 3,
    hasShown: true,
    code: "BOX_NOT_FOUND",
  };
  for (const [name, command] of Object.entries(runtimes)) {
    for (const way of ["socket", "port"] as const) {
      it(`drives boxes from ${name}, over the server's ${way}`, async () => {
        const { socketPath, tcp } = server.http;
        const env =
          way === "socket"
            ? { BOXRUN_SOCKET: socketPath }
            : { BOXRUN_SOCKET: "/nowhere", BOXRUN_HOST: `http://${tcp?.host}:${tcp?.port}` };
        const [program = "", ...args] = [...command(), join(dir, "tour.js")];
        const { stdout } = await execute(program, args, {
          cwd: dir,
          env: { PATH: process.env.PATH, HOME: dir, ...env },
          timeout: 60_000,
        });
        expect(JSON.parse(stdout)).toEqual(expected);
      });
    }
  }
});
