import { mkdtempSync, rmSync } from "node:fs";
import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import type { EngineExec } from "@boxrun/core";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { socketAddress } from "../src/address.ts";
import { type AgentExec, resumeExec, startExec } from "../src/exec.ts";
import { Forgetting } from "../src/forgetting.ts";
import { AgentLine } from "../src/line.ts";
import { exitFrame, type FakeAgent, frame, json, startFakeAgent } from "./support/fake-agent.ts";

const dir = mkdtempSync(join(tmpdir(), "bx-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let sockets = 0;

interface Stage {
  readonly agent: FakeAgent;
  readonly gone: AbortController;
  readonly line: AgentLine;
  readonly start: () => Promise<AgentExec>;
  readonly resume: (stdout: number) => Promise<AgentExec | undefined>;
}

/** An agent whose only exec gives `output` on the nth time that it is read, from 1; the first time may be its start. */
async function stage(
  output: (stream: ServerHttp2Stream, time: number, query: string) => void,
  others: (stream: ServerHttp2Stream, path: string) => void = (stream) => json(stream, { ok: true }),
  headers: OutgoingHttpHeaders = {},
  state: object = {},
): Promise<Stage> {
  let time = 0;
  const agent = await startFakeAgent(join(dir, `${sockets++}.sock`), (stream, { method, path }) => {
    if (method === "PUT" || path.startsWith("/execs/e1/output?")) {
      stream.respond({ ":status": 200, ...headers });
      time++;
      output(stream, time, path.split("?")[1] ?? "start");
    } else if (path === "/execs/e1") json(stream, { id: "e1", state: "running", ...state });
    else others(stream, path);
  });
  const line = new AgentLine(socketAddress(agent.path));
  await line.open(AbortSignal.timeout(5000));
  const gone = new AbortController();
  onTestFinished(async () => {
    line.end(new BoxRunError("RUNTIME_ERROR", "the test is over"));
    await agent[Symbol.asyncDispose]();
  });
  const host = { boxId: "box_1", line, gone: gone.signal, forgetting: new Forgetting(line) };
  const spec = { id: "e1", cmd: ["true"], env: {}, workdir: "/", user: null, stdin: true, tty: null, timeoutMs: null };
  return {
    agent,
    gone,
    line,
    start: () => startExec(host, spec),
    resume: (stdout) => resumeExec(host, "e1", { stdout, stderr: 0 }),
  };
}

async function text(exec: EngineExec): Promise<string> {
  const parts: string[] = [];
  for await (const { stream, offset, data } of exec.output) {
    parts.push(`${stream}@${offset}:${Buffer.from(data).toString("utf8")}`);
  }
  return parts.join(" ");
}

test("output comes in the order in which it was written, then the exit", async () => {
  const { start } = await stage((stream) => {
    stream.end(Buffer.concat([frame(1, 0, "one"), frame(2, 0, "two"), frame(1, 3, "three"), exitFrame(7)]));
  });
  const exec = await start();
  expect(await text(exec)).toBe("stdout@0:one stderr@0:two stdout@3:three");
  expect(await exec.exit).toEqual({ code: 7, reason: "exited" });
});

test("an exit that has come counts, also if the box goes before the end of the answer", async () => {
  const { start, line, gone } = await stage((stream) => {
    // It has been read when the request ends.
    stream.resume().once("end", () => {
      const reason = new BoxRunError("RUNTIME_ERROR", "the box is gone");
      line.end(reason);
      gone.abort(reason);
    });
    stream.write(exitFrame(3));
  });
  const exec = await start();
  expect(await text(exec)).toBe("");
  expect(await exec.exit).toEqual({ code: 3, reason: "exited" });
});

test("a start whose answer is there as a whole says that the exec is over", async () => {
  const answer = Buffer.concat([frame(1, 0, "all"), exitFrame(0)]);
  const whole = await stage((stream) => stream.end(answer), undefined, { "content-length": answer.length });
  const quick = await whole.start();
  expect(quick.isOver).toBe(true);
  expect(await text(quick)).toBe("stdout@0:all");
  const { start } = await stage((stream) => stream.end(answer));
  expect((await start()).isOver).toBe(false);
});

test("a dropped connection is mended: reading goes on from what was stored, and what was received already is not repeated", async () => {
  const queries: string[] = [];
  const dropped = Promise.withResolvers<void>();
  const { start, agent } = await stage((stream, time, query) => {
    queries.push(query);
    if (time === 1) {
      stream.write(Buffer.concat([frame(1, 0, "abc"), frame(1, 3, "def"), frame(2, 0, "err")]));
      dropped.promise.then(() => agent.hangUp());
      return;
    }
    // From byte 3 on, cut otherwise than before, as an agent may.
    stream.end(Buffer.concat([frame(1, 3, "defgh"), frame(2, 0, "err"), frame(1, 8, "i"), exitFrame()]));
  });
  const exec = await start();
  const parts: string[] = [];
  for await (const { offset, data } of exec.output) {
    parts.push(`${offset}:${Buffer.from(data).toString("utf8")}`);
    if (parts.length === 1) exec.acknowledge({ stdout: 3, stderr: 0 });
    if (parts.length === 3) dropped.resolve();
  }
  expect(parts).toEqual(["0:abc", "3:def", "0:err", "6:gh", "8:i"]);
  expect(queries).toEqual(["start", "stdout=3&stderr=0"]);
  expect(await exec.exit).toMatchObject({ code: 0 });
  expect(agent.connections()).toBe(2);
});

test("an exec is started by one request, whose body goes on with acknowledgements; none runs ahead of what was received", async () => {
  const ended = Promise.withResolvers<Buffer>();
  const content = Buffer.alloc(65_536, "x");
  const { start } = await stage((stream) => {
    const said: Buffer[] = [];
    stream.write(Buffer.concat([frame(1, 0, content), frame(2, 0, content), frame(1, 65_536, "123")]));
    stream.on("data", (chunk: Buffer) => {
      said.push(chunk);
      const all = Buffer.concat(said);
      if (all.length < 4 + all.readUInt32BE(0) + 18) return;
      ended.resolve(all);
      stream.end(exitFrame());
    });
  });
  const exec = await start();
  for await (const _ of exec.output) exec.acknowledge({ stdout: 999_999, stderr: 999_999 });
  const body = await ended.promise;
  const length = body.readUInt32BE(0);
  expect(JSON.parse(body.toString("utf8", 4, 4 + length))).toMatchObject({ argv: ["true"], cwd: "/", stdin: true });
  // Little output is not acknowledged at once: 128 KiB are, and the 3 bytes behind them are not.
  expect(body.toString("hex", 4 + length)).toBe("010000000000010000020000000000010000");
});

test("execs that end at about the same time are forgotten in one request", async () => {
  const bodies: string[] = [];
  const { line } = await stage(
    (stream) => stream.end(exitFrame()),
    (stream, path) => {
      expect(path).toBe("/execs/forget");
      stream.on("data", (chunk: Buffer) => bodies.push(chunk.toString("utf8")));
      stream.once("end", () => json(stream, { ok: true }));
    },
  );
  const forgetting = new Forgetting(line);
  await Promise.all(["e1", "e2"].map((id) => forgetting.forget(id)));
  await forgetting.forget("e3");
  expect(bodies).toEqual(['{"ids":["e1","e2"]}', '{"ids":["e3"]}']);
});

test.each([
  ["a gap in a stream", [frame(1, 0, "a"), frame(1, 2, "c")], /goes on at byte 2 instead of 1/],
  ["a frame of no known type", [Buffer.alloc(20, 9)], /unknown type 9/],
  ["a frame longer than allowed", [Buffer.from("010000000000000000ffffffff", "hex")], /want 1 to 65536/],
  ["an exit that is no exit", [frame(3, 0, '{"code":999,"reason":"exited"}')], /no exit/],
  ["an exit of more than 4096 bytes", [frame(3, 0, Buffer.alloc(5000, 32))], /want 1 to 4096/],
  ["output after the exit", [exitFrame(), frame(1, 0, "x")], /after the exit/],
  ["an end in the middle of a frame", [frame(1, 0, "abcdef").subarray(0, 15)], /into a frame/],
])("%s fails the exec", async (_, frames, message) => {
  const { start } = await stage((stream) => stream.end(Buffer.concat(frames)));
  const exec = await start();
  await expect(text(exec)).rejects.toMatchObject({ code: "RUNTIME_ERROR", message: expect.stringMatching(message) });
  await expect(exec.exit).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
});

test("the death of the box rejects output and exit with its reason, read or not", async () => {
  const { start, gone, line } = await stage((stream) => stream.write(frame(1, 0, "x")));
  const [read, unread] = [await start(), await start()];
  const reading = text(read).catch((error: unknown) => error);
  const reason = new BoxRunError("RUNTIME_ERROR", "box box_1 died: the test says so");
  line.end(reason);
  gone.abort(reason);
  expect(await reading).toBe(reason);
  await expect(read.exit).rejects.toBe(reason);
  await expect(unread.exit).rejects.toBe(reason);
});

test("an exec that the agent doesn't know is not resumed", async () => {
  const agent = await startFakeAgent(join(dir, `${sockets++}.sock`), (stream) =>
    json(stream, { code: "NOT_FOUND", message: "no such exec" }, 404),
  );
  await using _ = agent;
  const line = new AgentLine(socketAddress(agent.path));
  const host = { boxId: "box_1", line, gone: new AbortController().signal, forgetting: new Forgetting(line) };
  expect(await resumeExec(host, "e1", { stdout: 0, stderr: 0 })).toBeUndefined();
  line.end(new BoxRunError("RUNTIME_ERROR", "the test is over"));
});

test("a resumed exec begins where the caller's store ends", async () => {
  const { resume } = await stage((stream, _, query) => {
    expect(query).toBe("stdout=5&stderr=0");
    stream.end(Buffer.concat([frame(1, 5, "rest"), exitFrame()]));
  });
  const exec = await resume(5);
  expect(exec === undefined ? undefined : await text(exec)).toBe("stdout@5:rest");
});

test("input for a program that has ended is EXEC_ALREADY_FINISHED, even if the agent says so in the middle", async () => {
  const { start } = await stage(
    (stream) => stream.write(frame(1, 0, "x")),
    (stream) => {
      stream.once("data", () => json(stream, { code: "FINISHED", message: "exec e1 has ended" }, 409));
    },
  );
  const exec = await start();
  const endless = new Readable({
    read() {
      this.push(Buffer.alloc(65_536));
    },
  });
  const writing = exec.writeStdin(endless, { eof: true, signal: new AbortController().signal });
  await expect(writing).rejects.toMatchObject({ code: "EXEC_ALREADY_FINISHED" });
  expect(endless.destroyed).toBe(true);
});

test("input with an offset goes to an agent that knows of offsets, and to an older one it does not go", async () => {
  const asked: string[] = [];
  const write = async (state: object) => {
    const { start } = await stage(
      (stream) => stream.write(frame(1, 0, "x")),
      (stream, path) => {
        asked.push(path);
        stream.resume().once("end", () => json(stream, { ok: true }));
      },
      {},
      state,
    );
    const exec = await start();
    const options = { eof: true, offset: 7, signal: new AbortController().signal };
    await exec.writeStdin(Readable.from([Buffer.from("more")]), options);
  };
  await write({ stdin: 9 });
  expect(asked).toEqual(["/execs/e1/stdin?eof=true&offset=7"]);
  await expect(write({})).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  expect(asked).toHaveLength(1);
});

test("an agent that ends the output again and again fails the exec instead of keeping the server busy", async () => {
  const { start } = await stage((stream) => stream.end());
  const exec = await start();
  await expect(text(exec)).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringContaining("again and again"),
  });
});

test("a connection that ends whenever the output is asked for is no answer, and so no end of the exec", async () => {
  const { agent, start } = await stage((stream, time) => {
    if (time === 1) stream.write(frame(1, 0, "out"));
    setImmediate(() => agent.hangUp());
  });
  const exec = await start();
  await expect(text(exec)).rejects.toMatchObject({ code: "BOX_UNREACHABLE" });
  await expect(exec.exit).rejects.toMatchObject({ code: "BOX_UNREACHABLE" });
});

test("an exec that is let go ends its readers at once, and its request with them, also while the agent says nothing", async () => {
  const ended = Promise.withResolvers<void>();
  const { start } = await stage((stream) => {
    stream.write(frame(1, 0, "out"));
    stream.once("close", () => ended.resolve());
  });
  const exec = await start();
  const read = text(exec).catch((error: unknown) => error);
  const exit = exec.exit.catch((error: unknown) => error);
  setImmediate(() => exec.letGo());
  expect(await read).toMatchObject({ code: "CANCELED" });
  expect(await exit).toMatchObject({ code: "CANCELED" });
  await ended.promise;
});
