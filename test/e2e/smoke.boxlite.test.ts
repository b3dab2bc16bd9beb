import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { urls } from "@boxrun/contract";
import { defaultCacheDir } from "@boxrun/host";
import { buildBaseImage } from "@boxrun/images";
import { account, startRegistry } from "@boxrun/images/testing";
import { BoxRunClient } from "boxrun-sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect } from "./support/http.ts";
import { TestServer } from "./support/server.ts";
import type { ParsedEvent } from "./support/sse.ts";
import { Screen } from "./support/terminal.ts";

describe("a server whose boxes are BoxLite's", () => {
  let server: TestServer;
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "bs-"));
    server = await TestServer.start({ env: { BOXRUN_ENGINE: "boxlite", DOCKER_CONFIG: dir } });
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  const boxrun = async (...args: string[]) => {
    const result = await server.runCli(args);
    if (result.exitCode !== 0) throw new Error(`boxrun ${args.join(" ")}: ${result.exitCode}: ${result.stderr}`);
    return result.stdout;
  };

  it("makes a box of `base`, runs a command in it, and tells the command's exit code", async () => {
    await boxrun("create", "base", "--name", "dev", "--memory", "256", "--cpu", "1");
    expect(await boxrun("exec", "dev", "--", "sh", "-c", "hostname; echo $((6*7))")).toBe("dev\n42\n");
    expect((await server.runCli(["exec", "dev", "--", "sh", "-c", "exit 7"])).exitCode).toBe(7);
    expect(await boxrun("ls")).toMatch(/dev.*running/);
  });

  it("copies files both ways, byte for byte", async () => {
    const content = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256));
    await writeFile(join(dir, "up"), content);
    await boxrun("cp", join(dir, "up"), "dev:/root/file");
    await boxrun("cp", "dev:/root/file", join(dir, "down"));
    expect((await readFile(join(dir, "down"))).equals(content)).toBe(true);
  });

  it("stops and starts a box with its disk kept", async () => {
    await boxrun("stop", "dev");
    expect(await boxrun("ls")).toMatch(/dev.*stopped/);
    await boxrun("start", "dev");
    expect(await boxrun("exec", "dev", "--", "wc", "-c", "/root/file")).toBe("70000 /root/file\n");
  });

  it("loses no output and no exit code when the server is killed in the middle", async () => {
    const script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 7";
    const exec = await server.http.startExec("dev", ["sh", "-c", script]);
    const before: ParsedEvent[] = [];
    await expect(async () => {
      for await (const event of server.http.events("dev", exec.id)) {
        before.push(event);
        if (before.length === 3) await server.kill();
      }
      throw new Error("the stream ended by itself");
    }).rejects.toThrow();
    await server.restart();
    expect((await server.http.getBox("dev")).status).toBe("running");
    const rest = await collect(server.http.events("dev", exec.id, before.at(-1)?.data.seq ?? 0));
    const text = before.map((event) => event.data.data).join("") + rest.stdout;
    expect(text).toBe(Array.from({ length: 20_000 }, (_, n) => `line ${n}\n`).join(""));
    expect(rest.exitCode).toBe(7);
  });

  it("keeps a shell, its terminal and its screen while no server is there", async () => {
    await using client = new BoxRunClient({ socketPath: server.socketPath });
    const session = { session: "work", size: { cols: 90, rows: 30 } };
    const first = new Screen(await client.attach("dev", session));
    expect(await first.run("stty size; word=kept")).toContain("30 90\r\n");
    await server.kill();
    await first.rest();
    await server.restart();
    const second = new Screen(await client.attach("dev", session));
    expect(await second.until("done\r\n")).toContain("30 90\r\n");
    expect(await second.run("echo word=$word")).toContain("word=kept\r\n");
    await second.type("exit 3\r");
    await second.rest();
    expect(await second.terminal.exit).toEqual({ code: 3 });
  });

  it("removes a box that runs, and says which engine it was", async () => {
    expect((await server.http.json("GET", urls.info())).body).toMatchObject({ engine: { name: "boxlite" } });
    await boxrun("rm", "--force", "dev");
    expect((await server.http.json("GET", urls.boxes())).body).toEqual([]);
  });

  it("runs boxes of an image from a private registry, with Docker's credentials, and of one that was imported", async () => {
    const archive = join(dir, "base.tar");
    const layoutDir = await buildBaseImage({ cacheDir: defaultCacheDir() });
    await promisify(execFile)("tar", ["-C", layoutDir, "-chf", archive, "."]);
    await using registry = await startRegistry({ private: true });
    await registry.pushArchive("tools/base:1", archive);
    const pulled = `${registry.address}/tools/base:1`;
    const refused = await server.runCli(["images", "pull", pulled]);
    expect(refused.exitCode).toBe(125);
    expect(refused.stderr).toContain(registry.address);
    const auth = Buffer.from(`${account.user}:${account.password}`).toString("base64");
    await writeFile(join(dir, "config.json"), JSON.stringify({ auths: { [registry.address]: { auth } } }));
    await boxrun("images", "pull", pulled);
    await boxrun("images", "import", archive, "--name", "mine:1");
    for (const image of [pulled, "mine:1"]) {
      const options = ["--memory", "256", "--cpu", "1", "--pull", "never"];
      expect(await boxrun("run", ...options, image, "--", "sh", "-c", ". /etc/os-release; echo $ID")).toBe(
        "boxrun-base\n",
      );
    }
  });
});
