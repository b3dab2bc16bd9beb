import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { BoxRunClient, type ExecEvent, logBytes } from "../src/index.ts";
import { readBody, StubServer, sendJson, toArray } from "./support/stub-server.ts";

function stream(response: ServerResponse): ServerResponse {
  return response.writeHead(200, { "content-type": "text/event-stream" });
}
function log(seq: number, data = `line ${seq}\n`): string {
  return `event: log\nid: ${seq}\ndata: ${JSON.stringify({ stream: "stdout", data, seq })}\n\n`;
}
function exit(seq: number, exitCode = 0): string {
  const data = JSON.stringify({ stream: null, data: JSON.stringify({ exit_code: exitCode }), seq });
  return `event: exit\nid: ${seq}\ndata: ${data}\n\n`;
}
const sampleExec = {
  id: "exec_abcdefghijkl",
  box_id: "box_abcdefghijkl",
  status: "running",
  cmd: ["make"],
  env: null,
  workdir: null,
  timeout_ms: null,
  exit_code: null,
  error_message: null,
  created_at: "2025-01-01T00:00:00.000Z",
  finished_at: null,
  user: null,
  tty: false,
} as const;
const started = `event: exec\ndata: ${JSON.stringify(sampleExec)}\n\n`;
async function collect(events: AsyncIterable<ExecEvent>): Promise<number[]> {
  const seqs: number[] = [];
  for await (const event of events) seqs.push(event.seq);
  return seqs;
}

describe("events of an exec", () => {
  it("come typed, and end behind the exit event", async () => {
    await using stub = await StubServer.start((_, response) => {
      stream(response).end(`: hello\n\n${log(1)}event: news\ndata: {}\n\n${exit(2, 3)}${log(3)}`);
    });
    const events: ExecEvent[] = [];
    for await (const event of stub.client.execs.events("dev", "e")) events.push(event);
    expect(events).toEqual([
      { event: "log", stream: "stdout", data: "line 1\n", seq: 1 },
      { event: "exit", exit_code: 3, seq: 2 },
    ]);
  });

  it("are whole where the network cuts them, inside characters too", async () => {
    await using stub = await StubServer.start(async (_, response) => {
      stream(response);
      for (const byte of Buffer.from(log(1, "grüße 🎈\n") + exit(2))) {
        await new Promise((resolve) => response.write(Buffer.from([byte]), resolve));
      }
      response.end();
    });
    const [first] = await toArray(stub.client.execs.events("dev", "e"));
    expect(first).toMatchObject({ data: "grüße 🎈\n" });
  });

  it("go on behind the last one seen when the connection drops, each once", async () => {
    const asked: (string | undefined)[] = [];
    await using stub = await StubServer.start((request, response, nth) => {
      asked.push(request.headers["last-event-id"]?.toString());
      stream(response);
      if (nth === 1) response.write(log(1) + log(2), () => response.destroy());
      // A server that repeats itself.
      else if (nth === 2) response.write(log(2) + log(3), () => response.destroy());
      // One that ends politely, as when it is stopped.
      else if (nth === 3) response.end(": stopping\n\n");
      else response.end(log(4) + exit(5));
    });
    expect(await collect(stub.client.execs.events("dev", "e"))).toEqual([1, 2, 3, 4, 5]);
    expect(asked).toEqual([undefined, "2", "3", "3"]);
  });

  it("survive a server that is away for a while", async () => {
    let isBack = false;
    await using stub = await StubServer.start((_, response) => {
      stream(response);
      if (isBack) response.end(log(2) + exit(3));
      else response.write(log(1));
    });
    const seqs: number[] = [];
    for await (const { seq } of stub.client.execs.events("dev", "e")) {
      seqs.push(seq);
      if (seq !== 1) continue;
      await stub.drop();
      setTimeout(() => {
        isBack = true;
        void stub.listen();
      }, 200);
    }
    expect(seqs).toEqual([1, 2, 3]);
  });

  it("have a server that broke off brought back before they are asked for again, and no other", async () => {
    let broughtBack = 0;
    await using stub = await StubServer.start((request, response, nth) => {
      const { "last-event-id": last = "0" } = request.headers;
      if (nth === 1) stream(response).write(log(1), () => void stub.drop());
      // Told in order: this server is waited for.
      else if (nth === 2) stream(response).end(log(2));
      else stream(response).end(exit(Number(last) + 1));
    });
    await using client = new BoxRunClient({
      socketPath: stub.socketPath,
      bringBack: async () => {
        broughtBack += 1;
        await stub.listen();
      },
    });
    expect(await collect(client.execs.events("dev", "e"))).toEqual([1, 2, 3]);
    expect(broughtBack).toBe(1);
  });

  it("end with the reason why the server could not be brought back", async () => {
    await using stub = await StubServer.start((_, response) => {
      stream(response).write(log(1), () => void stub.drop());
    });
    const bringBack = () => Promise.reject(new Error("no disk"));
    await using client = new BoxRunClient({ socketPath: stub.socketPath, bringBack });
    await expect(collect(client.execs.events("dev", "e"))).rejects.toThrow("no disk");
  });

  it("wait for a server that answers 503 while it starts", async () => {
    await using stub = await StubServer.start((_, response, nth) => {
      if (nth === 1) stream(response).write(log(1), () => response.destroy());
      else if (nth === 2) sendJson(response, 503, { code: "INTERNAL_ERROR", message: "starting" });
      else stream(response).end(exit(2));
    });
    expect(await collect(stub.client.execs.events("dev", "e"))).toEqual([1, 2]);
  });

  it("begin behind `after`", async () => {
    await using stub = await StubServer.start((request, response) => {
      expect(request.headers["last-event-id"]).toBe("7");
      stream(response).end(exit(8));
    });
    expect(await collect(stub.client.execs.events("dev", "e", { after: 7 }))).toEqual([8]);
  });

  it("fail at once if the server was never there, or says no", async () => {
    await using stub = await StubServer.start((_, response) =>
      sendJson(response, 404, { code: "EXEC_NOT_FOUND", message: "no such exec" }),
    );
    await expect(collect(stub.client.execs.events("dev", "e"))).rejects.toMatchObject({ code: "EXEC_NOT_FOUND" });
    await stub.drop();
    await expect(collect(stub.client.execs.events("dev", "e"))).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
  });

  it("fail when the box is gone after a reconnect", async () => {
    await using stub = await StubServer.start((_, response, nth) => {
      if (nth === 1) stream(response).write(log(1), () => response.destroy());
      else sendJson(response, 404, { code: "BOX_NOT_FOUND", message: "no such box" });
    });
    await expect(collect(stub.client.execs.events("dev", "e"))).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
  });

  it("stop with the signal's reason, also between two attempts", async () => {
    await using stub = await StubServer.start((_, response) => stream(response).write(log(1)));
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of stub.client.execs.events("dev", "e", { signal: controller.signal })) {
        await stub.drop();
        setTimeout(() => controller.abort(new Error("enough")), 120);
      }
    })();
    await expect(reading).rejects.toThrow("enough");
  });

  it("hang up when their reader leaves", async () => {
    const left = Promise.withResolvers<void>();
    await using stub = await StubServer.start((_, response) => {
      response.on("close", left.resolve);
      stream(response).write(log(1));
    });
    for await (const _ of stub.client.execs.events("dev", "e")) break;
    await left.promise;
  });
});

describe("an exec that is started and followed", () => {
  const input = { cmd: ["make"] };

  it("comes first, then its events, in one exchange", async () => {
    const asked: unknown[] = [];
    await using stub = await StubServer.start(async (request, response) => {
      asked.push(request.method, request.url, request.headers.accept, JSON.parse((await readBody(request)).toString()));
      stream(response).end(started + log(1) + exit(2, 3));
    });
    expect(await toArray(stub.client.execs.follow("dev", input))).toEqual([
      { event: "exec", exec: sampleExec },
      { event: "log", stream: "stdout", data: "line 1\n", seq: 1 },
      { event: "exit", exit_code: 3, seq: 2 },
    ]);
    expect(asked).toEqual(["POST", "/v1/boxes/dev/exec", "text/event-stream", input]);
  });

  it("is started once, and followed behind the last event seen when the connection drops", async () => {
    const asked: unknown[] = [];
    await using stub = await StubServer.start((request, response, nth) => {
      asked.push([request.method, request.url, request.headers["last-event-id"]]);
      stream(response);
      if (nth === 1) response.write(started + log(1), () => response.destroy());
      else if (nth === 2) response.write(log(2), () => response.destroy());
      else response.end(exit(3));
    });
    const events = await toArray(stub.client.execs.follow("dev", input));
    expect(events.map((event) => (event.event === "exec" ? event.exec.id : event.seq))).toEqual([
      sampleExec.id,
      1,
      2,
      3,
    ]);
    const url = "/v1/boxes/box_abcdefghijkl/exec/exec_abcdefghijkl/events";
    expect(asked).toEqual([
      ["POST", "/v1/boxes/dev/exec", undefined],
      ["GET", url, "1"],
      ["GET", url, "2"],
    ]);
  });

  it("is followed by a second request at a server that answers with the exec alone", async () => {
    await using stub = await StubServer.start((request, response) => {
      if (request.method === "POST") sendJson(response, 201, sampleExec);
      else stream(response).end(log(1) + exit(2));
    });
    const events = await toArray(stub.client.execs.follow("dev", input));
    expect(events.map(({ event }) => event)).toEqual(["exec", "log", "exit"]);
  });

  it.each([
    ["nothing", ""],
    ["half of it", started.slice(0, 40)],
  ])(
    "is asked for again under the same key when %s came of the answer, and so not started a second time",
    async (_, sent) => {
      const keys: unknown[] = [];
      await using stub = await StubServer.start((request, response, nth) => {
        keys.push(request.headers["idempotency-key"]);
        if (nth === 1) stream(response).write(`: hello\n${sent}`, () => response.destroy());
        else stream(response).end(started + log(1) + exit(2));
      });
      const events = await toArray(stub.client.execs.follow("dev", input));
      expect(events.map(({ event }) => event)).toEqual(["exec", "log", "exit"]);
      expect(keys).toEqual([expect.any(String), keys[0]]);
    },
  );

  it("fails as the server refuses it, or with what is no answer of it", async () => {
    await using stub = await StubServer.start((_, response, nth) => {
      if (nth === 1) sendJson(response, 400, { code: "BOX_NOT_RUNNING", message: "is stopped" });
      else if (nth === 2) sendJson(response, 200, { ok: true });
      else stream(response).end(log(1));
    });
    for (const code of ["BOX_NOT_RUNNING", "INVALID_ANSWER", "INVALID_ANSWER"]) {
      await expect(toArray(stub.client.execs.follow("dev", input))).rejects.toMatchObject({ code });
    }
  });

  it("is hung up on when the reader leaves, also right behind the exec", async () => {
    const left = Promise.withResolvers<void>();
    await using stub = await StubServer.start((_, response) => {
      response.on("close", left.resolve);
      stream(response).write(started);
    });
    for await (const { event } of stub.client.execs.follow("dev", input)) {
      expect(event).toBe("exec");
      break;
    }
    await left.promise;
  });
});

describe("pulling an image", () => {
  const image = {
    reference: "a:1",
    digest: "sha256:0",
    size_bytes: 1,
    created_at: "2025-01-01T00:00:00Z",
    builtin: false,
  };

  it("tells its progress and ends with the image", async () => {
    await using stub = await StubServer.start((_, response) => {
      stream(response).end(
        `event: progress\ndata: {"message":"layer 1"}\n\nevent: done\ndata: ${JSON.stringify(image)}\n\n`,
      );
    });
    expect(await toArray(stub.client.images.pull("a:1"))).toEqual([
      { event: "progress", message: "layer 1" },
      { event: "done", image },
    ]);
  });

  it.each([
    ['event: error\ndata: {"code":"IMAGE_PULL_FAILED","message":"denied"}\n\n', "IMAGE_PULL_FAILED"],
    ["", "CONNECTION_FAILED"],
  ])("that ends with %j throws %s", async (body, code) => {
    await using stub = await StubServer.start((_, response) => stream(response).end(body));
    await expect(toArray(stub.client.images.pull("a:1"))).rejects.toMatchObject({ code });
  });
});

describe("the bytes of a log event", () => {
  it.each([
    [{ data: "grüße" }, Buffer.from("grüße")],
    [{ data: "/wCA", encoding: "base64" as const }, Buffer.from([0xff, 0, 0x80])],
    [{ data: "", encoding: "base64" as const }, Buffer.alloc(0)],
  ])("of %j", (event, bytes) => {
    expect(Buffer.from(logBytes(event))).toEqual(bytes);
  });
});
