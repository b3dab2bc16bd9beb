import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

const binary = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7) % 256));
let sawSigterm = 0;

let cli: CliWithServer;
beforeAll(async () => {
  cli = await CliWithServer.start({
    programs: {
      binary: async ({ stdout }) => {
        await stdout(binary);
        return 0;
      },
      // Ends on SIGTERM alone, and says when it is ready for it.
      waiting: async ({ stdout, stderr, trap, killed }) => {
        const terminated = Promise.withResolvers<number>();
        trap("SIGTERM", () => {
          sawSigterm += 1;
          void stderr("bye\n").then(() => terminated.resolve(0));
        });
        killed.addEventListener("abort", () => terminated.resolve(137));
        await stdout("ready\n");
        return terminated.promise;
      },
      stubborn: async ({ stdout, trap, killed }) => {
        trap("SIGTERM", () => undefined);
        await stdout("ready\n");
        await once(killed, "abort");
        return 0;
      },
      endless: async ({ stdout, killed }) => {
        while (!killed.aborted) await stdout("y\n".repeat(1000));
        return 0;
      },
      digest: async ({ stdin, stdout }) => {
        const hash = createHash("sha256");
        for await (const chunk of stdin) hash.update(chunk);
        await stdout(hash.digest("hex"));
        return 0;
      },
    },
  });
  await cli.createBox("dev");
});
afterAll(() => cli[Symbol.asyncDispose]());

describe("exec", () => {
  it("passes output to the stream that it came from, and the exit code", async () => {
    const result = await cli.run("exec", "dev", "--", "sh", "-c", "echo out; echo err >&2; exit 7");
    expect(result).toMatchObject({ code: 7, stdout: "out\n", stderr: "err\n" });
  });

  it("passes every byte", async () => {
    const result = await cli.run("exec", "dev", "binary");
    expect(result.code).toBe(0);
    expect(result.stdoutBytes.equals(binary)).toBe(true);
  });

  it("takes its own options before the program, and none of the program's", async () => {
    const args = [
      "exec",
      "-w",
      "/tmp",
      "dev",
      "-e",
      "A=1",
      "--env=B=2",
      "sh",
      "-c",
      "pwd; echo $A$B; echo -e --json -d",
    ];
    expect(await cli.run(...args)).toMatchObject({ code: 0, stdout: "/tmp\n12\n-e --json -d\n" });
    expect(await cli.run("exec", "dev", "echo", "--help", "-d", "--", "x")).toMatchObject({
      stdout: "--help -d -- x\n",
    });
  });

  it("says that a program is not there, with 127", async () => {
    const result = await cli.run("exec", "dev", "nosuch");
    expect(result).toMatchObject({ code: 127, stdout: "", stderr: "Error: exec in dev: nosuch: not found\n" });
  });

  it("says that a box is not there, with 125", async () => {
    const result = await cli.run("exec", "nope", "true");
    expect(result.code).toBe(125);
    expect(result.stderr).toMatch(/^Error: exec in nope: There is no box "nope"\nHint: .*`boxrun ls`/);
  });

  it("with --json gives an event a line", async () => {
    const result = await cli.run("exec", "--json", "dev", "--", "sh", "-c", "echo hi; exit 3");
    expect(result.code).toBe(3);
    expect(
      result.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { event: "log", stream: "stdout", data: "hi\n", seq: 1, time: expect.any(String) },
      { event: "exit", exit_code: 3, seq: 2 },
    ]);
  });

  it("with -d prints the id and leaves the program running", async () => {
    const result = await cli.run("exec", "-d", "dev", "waiting");
    const id = result.stdout.trim();
    expect(result).toMatchObject({ code: 0, stdout: expect.stringMatching(/^exec_\S{12}\n$/) });
    expect(cli.server.core.execs.get("dev", id).status).toBe("running");
    await cli.server.core.execs.cancel("dev", id);
  });

  it("with --timeout ends a program that takes too long", async () => {
    const result = await cli.run("exec", "--timeout", "0.2", "dev", "sleep", "60");
    expect(result.code).toBe(143);
    expect(result.stderr).toContain("longer than its timeout");
  });

  it("without -i gives the program an empty input", async () => {
    expect(await cli.runWith({ input: "x" }, "exec", "dev", "cat")).toMatchObject({ code: 0, stdout: "" });
  });

  it("with -i passes its standard input on, to the end", async () => {
    const result = await cli.runWith({ input: binary }, "exec", "-i", "dev", "digest");
    expect(result.stdout).toBe(createHash("sha256").update(binary).digest("hex"));
  });

  it("with -i ends with the program, whoever still holds its standard input", async () => {
    const running = cli.spawn("exec", "-i", "dev", "sh", "-c", "echo done");
    expect(await running.result()).toMatchObject({ code: 0, stdout: "done\n" });
  });

  it("hands input on as it comes", async () => {
    const running = cli.spawn("exec", "-i", "dev", "cat");
    running.child.stdin?.write("one\n");
    await running.printed("one\n");
    running.child.stdin?.end("two\n");
    expect(await running.result()).toMatchObject({ code: 0, stdout: "one\ntwo\n" });
  });
});

describe("exec that is interrupted", () => {
  it("cancels the program on Ctrl-C, shows its last words, and exits with 130", async () => {
    const before = sawSigterm;
    const running = cli.spawn("exec", "dev", "waiting");
    await running.printed("ready\n");
    running.child.kill("SIGINT");
    expect(await running.result()).toMatchObject({ code: 130, stdout: "ready\n", stderr: "bye\n" });
    expect(sawSigterm).toBe(before + 1);
    expect(cli.server.core.execs.list("dev").items[0]?.status).toBe("canceled");
  });

  it("kills a program that does not listen", async () => {
    const running = cli.spawn("exec", "dev", "stubborn");
    await running.printed("ready\n");
    running.child.kill("SIGTERM");
    expect(await running.result()).toMatchObject({ code: 143 });
    expect(cli.server.core.execs.list("dev").items[0]).toMatchObject({ status: "canceled", exit_code: 137 });
  });

  it("cancels the program when nobody reads its output any more", async () => {
    const running = cli.spawn("exec", "dev", "endless");
    await running.printed("y\n");
    running.child.stdout?.destroy();
    expect(await running.result()).toMatchObject({ code: 141, stderr: "" });
    expect(cli.server.core.execs.list("dev").items[0]?.status).toBe("canceled");
  });

  it("hears Ctrl-C also while nobody takes its output", async () => {
    const running = cli.spawn("exec", "dev", "endless");
    await running.printed("y\n");
    running.child.stdout?.pause();
    running.child.kill("SIGINT");
    await expect.poll(() => cli.server.core.execs.list("dev").items[0]?.status, { timeout: 10_000 }).toBe("canceled");
    running.child.stdout?.resume();
    expect((await running.result()).code).toBe(130);
  });

  it("leaves at once on a second Ctrl-C, whatever the server does", async () => {
    const { promise: canceled, resolve: cancel } = Promise.withResolvers<void>();
    await using server = await serverWithOneExec(() => cancel());
    const running = cli.spawn("--host", server.host, "exec", "dev", "x");
    await running.printed("ready");
    running.child.kill("SIGINT");
    await canceled;
    running.child.kill("SIGINT");
    expect(await running.result()).toMatchObject({ code: 130, stdout: "ready", stderr: "" });
  });

  it("says after SIGTERM that the program may still run, if its box has not confirmed the end", async () => {
    const data = JSON.stringify({ exit_code: null, error: "it may still run" });
    await using server = await serverWithOneExec((events, answer) => {
      events.end(`event: exit\ndata: ${JSON.stringify({ stream: null, data, seq: 2 })}\n\n`);
      answer.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
    const running = cli.spawn("--host", server.host, "exec", "dev", "x");
    await running.printed("ready");
    running.child.kill("SIGTERM");
    expect(await running.result()).toMatchObject({ code: 143, stderr: "Error: exec in dev: it may still run\n" });
  });
});

/** A server with one exec, which prints "ready" and goes on; `cancel` has the answer to its start and that to its cancellation. */
async function serverWithOneExec(cancel: (events: ServerResponse, answer: ServerResponse) => void) {
  const dir = await mkdtemp(join(tmpdir(), "br-hang-"));
  const exec = {
    ...{ id: "exec_abcdefghijkl", box_id: "box_abcdefghijkl", status: "running", cmd: ["x"], env: null, workdir: null },
    ...{ timeout_ms: null, exit_code: null, error_message: null, finished_at: null, user: null, tty: false },
    created_at: new Date().toISOString(),
  };
  let events: ServerResponse | undefined;
  const server = createServer((request, response) => {
    if (request.url?.endsWith("/exec")) {
      events = response;
      const log = '{"stream":"stdout","data":"ready","seq":1}';
      response
        .writeHead(200, { "content-type": "text/event-stream" })
        .write(`event: exec\ndata: ${JSON.stringify(exec)}\n\nevent: log\ndata: ${log}\n\n`);
    } else if (request.url?.endsWith(":cancel") && events !== undefined) cancel(events, response);
  }).listen(join(dir, "s"));
  return {
    host: `unix://${dir}/s`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await rm(dir, { recursive: true });
    },
  };
}
