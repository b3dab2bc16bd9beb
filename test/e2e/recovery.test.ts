import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { idempotencyKeyHeader, replayedHeader, urls } from "@boxrun/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { collect } from "./support/http.ts";
import { cliPath, TestServer } from "./support/server.ts";
import type { ParsedEvent } from "./support/sse.ts";

describe("a server killed in the middle of its work", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it("finds its box again, loses no output and tells the real exit code", async () => {
    const box = await server.http.createBox({ name: "survivor" });
    const exec = await server.http.startExec(box.id, [
      "sh",
      "-c",
      "i=0; while [ $i -lt 60000 ]; do echo line $i; i=$((i+1)); done; exit 7",
    ]);

    const before: ParsedEvent[] = [];
    await expect(async () => {
      for await (const event of server.http.events(box.id, exec.id)) {
        before.push(event);
        if (before.length === 5) await server.kill();
      }
      throw new Error("the stream ended by itself");
    }).rejects.toThrow();

    await server.restart();
    expect((await server.http.getBox(box.id)).status).toBe("running");
    const last = before.at(-1)?.data.seq ?? 0;
    const rest = await collect(server.http.events(box.id, exec.id, last));
    const text = before.map((event) => event.data.data).join("") + rest.stdout;
    expect(text).toBe(Array.from({ length: 60_000 }, (_, n) => `line ${n}\n`).join(""));
    expect(rest.exitCode).toBe(7);
    expect([...before.map((event) => event.data.seq), ...rest.seqs]).toEqual(
      Array.from({ length: last + rest.seqs.length }, (_, n) => n + 1),
    );
  });

  it("can be killed twice while a command runs", async () => {
    const exec = await server.http.startExec("survivor", ["sh", "-c", "echo begin; cat; echo end"], { stdin: true });
    await server.kill();
    await server.restart();
    await server.kill();
    await server.restart();
    const answer = await server.http.raw("POST", urls.stdin("survivor", exec.id, { eof: true }), {
      body: "from standard input\n",
    });
    expect(await answer.body.json()).toEqual({ ok: true });
    const result = await collect(server.http.events("survivor", exec.id));
    expect(result).toMatchObject({ stdout: "begin\nfrom standard input\nend\n", exitCode: 0 });
  });

  it("answers again what it was asked under a key, and has done it once", async () => {
    const post = async (path: string, key: string, body: object) => {
      const headers = { "content-type": "application/json", [idempotencyKeyHeader]: key };
      const answer = await server.http.raw("POST", path, { headers, body: JSON.stringify(body) });
      return {
        status: answer.statusCode,
        isRepeat: answer.headers[replayedHeader] === "true",
        ...z.object({ id: z.string().optional(), code: z.string().optional() }).parse(await answer.body.json()),
      };
    };
    const create = () =>
      post(urls.boxes(), "create-1", { image: "base", name: "once", cpu: 1, memory_mb: 256, disk_size_gb: 1 });
    const exec = (word: string) =>
      post(urls.startExec("once"), "exec-1", { cmd: ["sh", "-c", `echo ${word} >> /root/words`] });
    const box = await create();
    const first = await exec("first");
    expect([box, first]).toMatchObject([
      { status: 201, isRepeat: false },
      { status: 201, isRepeat: false },
    ]);
    await server.kill();
    await server.restart();
    expect(await create()).toEqual({ ...box, isRepeat: true });
    expect(await exec("first")).toEqual({ ...first, isRepeat: true });
    expect(await exec("second")).toMatchObject({ status: 409, code: "IDEMPOTENCY_KEY_REUSED" });
    const words = async () => (await server.http.run("once", ["cat", "/root/words"])).stdout;
    await expect.poll(words, { timeout: 60_000 }).toBe("first\n");
    await server.http.json("DELETE", urls.removeBox("once", true));
    expect(await create()).toMatchObject({ status: 404, code: "BOX_NOT_FOUND" });
  });

  it("is started again by a command that follows a program, which misses no byte", async () => {
    const script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 7";
    const args = [cliPath, "exec", "survivor", "--", "sh", "-c", script];
    const following = spawn(process.execPath, args, { env: server.env, stdio: ["ignore", "pipe", "pipe"] });
    const closed = once(following, "close");
    const notes = text(following.stderr);
    let stdout = "";
    for await (const chunk of following.stdout.setEncoding("utf8")) {
      if (stdout === "") await server.kill();
      stdout += chunk;
    }
    await closed;
    expect(await notes).toMatch(/^Started the BoxRun server \(pid \d+, .*\)\n$/);
    expect(following.exitCode).toBe(7);
    expect(stdout).toBe(Array.from({ length: 20_000 }, (_, n) => `line ${n}\n`).join(""));
    expect(await server.runCli(["server", "stop"])).toMatchObject({ exitCode: 0 });
    await server.restart();
  });

  it("leaves nothing as `creating`, nor anything of a box that was being created", async () => {
    // Of no other box's shape: it boots for seconds, and the server is killed before there is a template of it.
    const creating = server.http.createBox({ name: "unfinished", memory_mb: 264 });
    const failed = expect(creating).rejects.toThrow();
    await expect.poll(async () => (await server.boxProcesses()).size, { timeout: 60_000 }).toBe(2);
    await server.kill();
    await failed;
    await server.restart();
    const box = await server.http.getBox("unfinished");
    expect(box).toMatchObject({ status: "error", error_code: "RUNTIME_ERROR" });
    expect(box.error_message).toContain("while the box was being created");
    expect((await server.boxProcesses()).size).toBe(1);
    expect((await server.http.json("DELETE", urls.box(box.id))).body).toEqual({ ok: true });
  });

  it("keeps boxes running over an ordinary stop, those that it has started itself too", async () => {
    await server.runCli(["stop", "survivor"]);
    await server.runCli(["start", "survivor"]);
    await server.stop();
    expect((await server.boxProcesses()).size).toBe(1);
    await server.restart();
    expect((await server.http.run("survivor", ["echo", "still here"])).stdout).toBe("still here\n");
  });

  it("refuses a second server on its state directory and says which process holds it", async () => {
    const second = await server.runCli(["serve", "--port", "0"]);
    expect(second.exitCode).not.toBe(0);
    expect(second.stderr).toContain(`pid ${server.pid}`);
    expect((await server.http.getBox("survivor")).status).toBe("running");
  });

  it("stops its boxes when it was told to", async () => {
    await server.stop();
    await server.restart(["--stop-boxes"]);
    await server.stop();
    expect(await server.boxProcesses()).toEqual(new Map());
    await server.restart();
    expect((await server.http.getBox("survivor")).status).toBe("stopped");
  });
});
