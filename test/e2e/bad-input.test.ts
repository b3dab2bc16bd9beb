import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { urls } from "@boxrun/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "./support/http.ts";
import { TestServer } from "./support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start({ env: { BOXRUN_PULL_IDLE_S: "3" } });
});
afterAll(() => server[Symbol.asyncDispose]());

const json = (...parameters: Parameters<TestServer["http"]["json"]>) => server.http.json(...parameters);

/** Refused in BoxRun's own shape, with this code, and a message that names `what`. */
function expectRefusal(answer: Answer, status: number, code: string, what: string | RegExp): void {
  expect(answer).toMatchObject({ status, body: { code } });
  expect((answer.body as { message: string }).message).toMatch(what);
}

describe("bodies", () => {
  it.each(["{", "", "[]", "null", '"text"', '{"image":"base",}', "\u0000"])("refuses %j as a box", async (body) => {
    const response = await server.http.raw("POST", urls.boxes(), {
      body,
      headers: { "content-type": "application/json" },
    });
    expect(response.statusCode).toBe(422);
    expect(await response.body.json()).toMatchObject({ code: "VALIDATION_ERROR" });
  });

  it.each([
    [{}, "image"],
    [{ image: 7 }, "image"],
    [{ image: "base", cpu: "two" }, "cpu"],
    [{ image: "base", memory_mb: -1 }, "memory_mb"],
    [{ image: "base", disk_size_gb: 0.5 }, "disk_size_gb"],
    [{ image: "base", colour: "red" }, "colour"],
    [{ image: "base", volumes: [{ host_path: "relative", guest_path: "/v" }] }, "host_path"],
    [{ image: "base", volumes: [{ host_path: "/no/such/place", guest_path: "/v" }] }, "host_path"],
    [{ image: "base", volumes: [{ host_path: "/etc/passwd", guest_path: "/v" }] }, "host_path"],
  ])("refuses %j and names the field", async (body, field) => {
    expectRefusal(await json("POST", urls.boxes(), body), 422, "VALIDATION_ERROR", field);
    expect((await json("GET", urls.boxes())).body).toEqual([]);
  });

  it("refuses 10 MB of JSON without reading it all", async () => {
    const body = JSON.stringify({ image: "base", name: "x".repeat(10_000_000) });
    const response = await server.http.raw("POST", urls.boxes(), {
      body,
      headers: { "content-type": "application/json" },
    });
    expect(response.statusCode).toBe(413);
    expect(await response.body.json()).toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  });

  it("refuses what is not JSON", async () => {
    const response = await server.http.raw("POST", urls.boxes(), {
      body: "<box/>",
      headers: { "content-type": "text/xml" },
    });
    expect(response.statusCode).toBeGreaterThanOrEqual(400);
    expect(response.statusCode).toBeLessThan(500);
    expect(await response.body.json()).toHaveProperty("code");
  });
});

describe("ids", () => {
  const ids = ["a/b", "../../etc/passwd", "%00", "\u0000", "x".repeat(1000), " ", "é", "box_", "%", "a:b"];
  it.each(ids)("answers 404 for the box %j", async (id) => {
    const answer = await json("GET", urls.box(id));
    expectRefusal(answer, 404, "BOX_NOT_FOUND", /no box/i);
  });

  it.each([
    "/v1/boxes/%00",
    "/v1/boxes/..",
    "/v1/boxes/%zz",
    "/v1/boxes/%2e%2e%2f",
    "/v1/boxes//execs",
    "/v1/boxes/../../etc",
  ])("answers %s with an error of its own and never 500", async (path) => {
    const answer = await json("GET", path);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.body).toHaveProperty("code");
  });

  it("names missing and unknown actions", async () => {
    expectRefusal(await json("POST", "/v1/boxes/dev"), 400, "VALIDATION_ERROR", "Missing action");
    expectRefusal(await json("POST", "/v1/boxes/dev:dance"), 400, "VALIDATION_ERROR", "Unknown action");
  });
});

describe("images that can't be had", () => {
  let registry: Server;
  let registryPort: number;
  let mode: "hang" | "not-found" = "hang";
  beforeAll(async () => {
    registry = createServer((_, response) => {
      if (mode === "not-found") response.writeHead(404, { "content-type": "application/json" }).end('{"errors":[]}');
    });
    await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
    registryPort = (registry.address() as AddressInfo).port;
  });
  afterAll(() => {
    registry.closeAllConnections();
    registry.close();
  });

  async function refused(image: string): Promise<Answer> {
    const answer = await json("POST", urls.boxes(), { image });
    const boxes = (await json("GET", urls.boxes())).body as { id: string; status: string; error_code: string }[];
    expect(boxes).toMatchObject([{ status: "error", error_code: (answer.body as { code: string }).code }]);
    for (const box of boxes) await json("DELETE", urls.box(box.id));
    return answer;
  }

  it("says that a registry refuses", async () => {
    expectRefusal(await refused("127.0.0.1:1/some/image:1"), 400, "IMAGE_PULL_FAILED", /refused/);
  });

  it("says that a registry does not have the image", async () => {
    mode = "not-found";
    expectRefusal(await refused(`127.0.0.1:${registryPort}/some/image:1`), 400, "IMAGE_PULL_FAILED", /./);
  });

  it("gives up on a registry that hangs", async () => {
    mode = "hang";
    const answer = await refused(`127.0.0.1:${registryPort}/some/image:1`);
    expect(answer.status).toBe(400);
    expect(["TIMEOUT", "IMAGE_PULL_FAILED"]).toContain((answer.body as { code: string }).code);
  });

  it.each(["--help", "a b", "UPPER/Case", "http://x/y", "x;reboot", "$(id)", "../x"])(
    "refuses the reference %j",
    async (image) => {
      const answer = await json("POST", urls.boxes(), { image });
      expect([400, 422]).toContain(answer.status);
      for (const box of (await json("GET", urls.boxes())).body as { id: string }[])
        await json("DELETE", urls.box(box.id));
    },
  );

  it.each(["not a tar at all", "x".repeat(4096)])("refuses to import %#", async (body) => {
    const response = await server.http.raw("POST", urls.importImage("some:1"), {
      body,
      headers: { "content-type": "application/x-tar" },
    });
    expect(response.statusCode).toBe(422);
    expect(await response.body.json()).toMatchObject({ code: "VALIDATION_ERROR" });
  });
});

describe("a box pulled to and fro", () => {
  it("is removed while it is being created", async () => {
    const creating = json("POST", urls.boxes(), { image: "base", name: "fleeting", memory_mb: 256, disk_size_gb: 1 });
    await expect.poll(async () => (await json("GET", urls.box("fleeting"))).status, { timeout: 30_000 }).toBe(200);
    expectRefusal(await json("POST", urls.stopBox("fleeting")), 400, "BOX_NOT_RUNNING", /being created/);
    expectRefusal(await json("DELETE", urls.box("fleeting")), 409, "BOX_ALREADY_RUNNING", /being created/);
    expect((await json("DELETE", urls.removeBox("fleeting", true))).body).toEqual({ ok: true });
    expectRefusal(await creating, 400, "CANCELED", /removed/);
    expect(await server.boxProcesses()).toEqual(new Map());
  });

  it("is removed twice at once, and while a command runs", async () => {
    const box = await server.http.createBox();
    const exec = await server.http.startExec(box.id, ["sleep", "1000"]);
    const reading = server.http.raw("GET", urls.execEvents(box.id, exec.id)).then((response) => response.body.text());
    const removals = await Promise.all([1, 2].map(() => json("DELETE", urls.removeBox(box.id, true))));
    expect(removals.map((answer) => answer.status).sort()).toEqual([200, 404]);
    expect(await reading).toContain("event: exit");
    expectRefusal(await json("GET", urls.exec(box.id, exec.id)), 404, "BOX_NOT_FOUND", /no box/i);
    expect(await server.boxProcesses()).toEqual(new Map());
  });
});

describe("a client that hangs up", () => {
  it("in the middle of a create leaves a box that everybody can see", async () => {
    const controller = new AbortController();
    const creating = json(
      "POST",
      urls.boxes(),
      { image: "base", name: "orphan", memory_mb: 256, disk_size_gb: 1 },
      controller.signal,
    );
    const failed = expect(creating).rejects.toThrow();
    await expect.poll(async () => (await json("GET", urls.box("orphan"))).status, { timeout: 30_000 }).toBe(200);
    controller.abort();
    await failed;
    await expect.poll(async () => (await server.http.getBox("orphan")).status, { timeout: 120_000 }).toBe("running");
  });

  it("in the middle of an upload leaves no half file", async () => {
    const socket = connect(server.socketPath);
    const head =
      "POST /v1/boxes/orphan/files/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 10000000\r\n\r\n";
    const dest = '--B\r\nContent-Disposition: form-data; name="dest"\r\n\r\n/root/half\r\n';
    const file = '--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n';
    await new Promise<void>((resolve) => socket.write(head + dest + file + "x".repeat(1_000_000), () => resolve()));
    const listed = async () => (await server.http.run("orphan", ["ls", "-A", "/root"])).stdout;
    await expect.poll(listed, { timeout: 30_000 }).toContain(".boxrun-upload");
    socket.destroy();
    await expect.poll(listed, { timeout: 30_000 }).toBe("");
  });

  it("in the middle of a run takes the box with it", async () => {
    const controller = new AbortController();
    const running = json(
      "POST",
      urls.run(),
      { image: "base", cmd: ["sleep", "1000"], memory_mb: 256, disk_size_gb: 1 },
      controller.signal,
    );
    const failed = expect(running).rejects.toThrow();
    const boxes = async () => ((await json("GET", urls.boxes())).body as unknown[]).length;
    await expect.poll(boxes, { timeout: 30_000 }).toBe(2);
    controller.abort();
    await failed;
    await expect.poll(boxes, { timeout: 60_000 }).toBe(1);
  });

  it("in the middle of the events of an exec is forgotten", async () => {
    const exec = await server.http.startExec("orphan", ["sh", "-c", "while :; do echo busy; done"]);
    for await (const event of server.http.events("orphan", exec.id)) {
      if (event.data.seq > 3) break;
    }
    const readers = async () =>
      /boxrun_sse_readers(?:\{[^}]*\})? (\d+)/.exec(
        await (await server.http.raw("GET", urls.metrics())).body.text(),
      )?.[1];
    await expect.poll(readers, { timeout: 30_000 }).toBe("0");
    const canceled = await json("POST", urls.execAction("orphan", exec.id, "cancel"));
    expect(canceled.body).toMatchObject({ status: "canceled" });
  });
});
