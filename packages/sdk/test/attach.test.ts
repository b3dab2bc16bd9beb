import { createServer } from "node:net";
import * as contract from "@boxrun/contract";
import { startTestServer, type TestServer } from "@boxrun/server/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BoxRunClient, ClientError, type Terminal } from "../src/index.ts";
import { openTerminalSocket } from "../src/terminal/socket-browser.ts";
import { Terminal as TerminalOverSocket } from "../src/terminal/terminal.ts";

const size = { cols: 80, rows: 24 };
const token = "t0ken";
const floodBytes = 32 * 1024 * 1024;
let flooded = 0;
let server: TestServer;
let client: BoxRunClient;

beforeAll(async () => {
  server = await startTestServer({
    token,
    tcp: { host: "0.0.0.0", port: 0 },
    programs: {
      flood: async ({ stdout }) => {
        for (const piece = Buffer.alloc(64 * 1024, "x"); flooded < floodBytes; flooded += piece.length)
          await stdout(piece);
        return 5;
      },
    },
  });
  client = new BoxRunClient({ socketPath: server.http.socketPath });
  await client.boxes.create({ image: "base", name: "dev", cpu: 1, memory_mb: 64 });
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const overTcp = (options: { token?: string } = {}) =>
  new BoxRunClient({ baseUrl: `http://127.0.0.1:${server.http.tcp?.port}`, ...options });

async function until(terminal: Pick<Terminal, "output">, wanted: string): Promise<string> {
  let text = "";
  const reader = terminal.output[Symbol.asyncIterator]();
  while (!text.includes(wanted)) {
    const { done, value } = await reader.next();
    if (done) throw new Error(`the terminal ended without ${wanted}: ${text}`);
    text += Buffer.from(value).toString();
  }
  return text;
}

async function drain(terminal: Terminal): Promise<number> {
  let bytes = 0;
  for await (const data of terminal.output) bytes += data.length;
  return bytes;
}

describe("an attached terminal", () => {
  it.each([
    ["a Unix socket", () => client],
    ["TCP with a token", () => overTcp({ token })],
  ])("works over %s", async (_, open) => {
    const terminal = await open().attach("dev", { size: { cols: 100, rows: 30 } });
    await until(terminal, "$ ");
    await terminal.write("stty size\r");
    await until(terminal, "30 100\n$ ");
    terminal.resize({ cols: 50, rows: 20 });
    await expect
      .poll(async () => {
        await terminal.write("stty size\r");
        return until(terminal, "\n$ ");
      })
      .toContain("20 50\n");
    await terminal.write("exit 3\r");
    await drain(terminal);
    expect(await terminal.exit).toEqual({ code: 3 });
    await expect(terminal.write("x")).rejects.toMatchObject({ code: "EXEC_ALREADY_FINISHED" });
  });

  it("stops the program while nobody reads, and then hands out every byte", async () => {
    const terminal = await client.attach("dev", { size, shell: "flood" });
    let seen = -1;
    while (flooded > seen) {
      seen = flooded;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(flooded).toBeLessThan(8 * 1024 * 1024);
    expect(await drain(terminal)).toBe(floodBytes);
    expect(await terminal.exit).toEqual({ code: 5 });
  });

  it("types more than fits into one frame", async () => {
    const terminal = await client.attach("dev", { size, shell: "cat" });
    const typed = "0123456789".repeat(30_000);
    const reading = until(terminal, "end");
    await terminal.write(`${typed}end`);
    expect(await reading).toBe(`${typed}end`);
    await terminal.detach();
  });

  it("detaches, and finds its session again", async () => {
    const first = await client.attach("dev", { size, session: "work" });
    await first.write("echo hello\r");
    await until(first, "hello\n$ ");
    await first.detach();
    await expect(first.exit).rejects.toMatchObject({ code: "CANCELED" });
    await expect.poll(() => client.sessions.list("dev")).toMatchObject([{ name: "work", clients: 0 }]);
    await using second = await client.attach("dev", { size, session: "work" });
    await until(second, "hello\n$ ");
    await using joined = await client.attach("dev", { size, session: "work", share: true });
    await until(joined, "hello\n$ ");
    await client.sessions.remove("dev", "work");
    for (const terminal of [second, joined]) {
      await drain(terminal);
      await expect(terminal.exit).rejects.toMatchObject({ code: "CANCELED", message: "Session work was removed" });
    }
    await expect(client.sessions.remove("dev", "work")).rejects.toMatchObject({ code: "SESSION_NOT_FOUND" });
  });

  it("is detached by its signal", async () => {
    const controller = new AbortController();
    const terminal = await client.attach("dev", { size, signal: controller.signal });
    await until(terminal, "$ ");
    controller.abort();
    expect(await drain(terminal)).toBe(0);
    await expect(terminal.exit).rejects.toMatchObject({ code: "CANCELED" });
    await expect(client.attach("dev", { size, signal: controller.signal })).rejects.toBe(controller.signal.reason);
  });
});

describe("what can go wrong with a terminal", () => {
  it("arrives as from every other call if it is refused", async () => {
    await expect(client.attach("nobody", { size })).rejects.toMatchObject({ code: "BOX_NOT_FOUND", status: 404 });
    await expect(client.attach("dev", { size: { cols: 0, rows: 1 } })).rejects.toMatchObject({
      code: "VALIDATION_ERROR",
    });
    await expect(overTcp().attach("dev", { size })).rejects.toMatchObject({ code: "UNAUTHORIZED", status: 401 });
    await client.boxes.create({ image: "base", name: "off", cpu: 1, memory_mb: 64 });
    await client.boxes.stop("off");
    await expect(client.attach("off", { size })).rejects.toMatchObject({ code: "BOX_NOT_RUNNING", status: 400 });
  });

  it("rejects its exit if the shell can't be started", async () => {
    const terminal = await client.attach("dev", { size, shell: "/bin/fish" });
    expect(await drain(terminal)).toBe(0);
    await expect(terminal.exit).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
  });

  it("is a failed connection if nobody is there, or somebody else", async () => {
    const nobody = new BoxRunClient({ socketPath: "/nowhere/boxrun.sock" });
    const error = await nobody.attach("dev", { size }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ClientError);
    expect(error).toMatchObject({ code: "CONNECTION_FAILED", message: expect.stringContaining("ENOENT") });

    const other = createServer((socket) => socket.end("220 smtp\r\n"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" ? address?.port : 0;
    const wrong = new BoxRunClient({ baseUrl: `http://127.0.0.1:${port}` });
    await expect(wrong.attach("dev", { size })).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
    other.close();
  });

  it("is a lost connection if the server is gone", async () => {
    const short = await startTestServer({ tcp: null, graceMs: 0 });
    const other = new BoxRunClient({ socketPath: short.http.socketPath });
    await other.boxes.create({ image: "base", name: "dev", cpu: 1, memory_mb: 64 });
    const terminal = await other.attach("dev", { size, session: "work" });
    await until(terminal, "$ ");
    await short[Symbol.asyncDispose]();
    await drain(terminal);
    await expect(terminal.exit).rejects.toMatchObject({ code: "CANCELED", message: "The server is shutting down" });
    await expect(terminal.write("x")).rejects.toMatchObject({ code: "CANCELED" });
  });
});

describe("a browser's WebSocket", () => {
  const open = async (url: string, token?: string) =>
    TerminalOverSocket.open(url, contract, (events) =>
      openTerminalSocket({
        url,
        socketPath: undefined,
        token,
        signal: undefined,
        events,
        refusal: () => new Error("not used"),
        askWhy: async () => new Error("what the server said"),
      }),
    );

  it("is a terminal like Node's", async () => {
    await using local = await startTestServer();
    const base = `http://127.0.0.1:${local.http.tcp?.port}`;
    const other = new BoxRunClient({ baseUrl: base });
    await other.boxes.create({ image: "base", name: "dev", cpu: 1, memory_mb: 64 });
    const terminal = await open(`${base}/v1/boxes/dev/attach`);
    await terminal.write("exit 9\r");
    await until(terminal, "exit 9");
    await drain(terminal);
    expect(await terminal.exit).toEqual({ code: 9 });
    await expect(open(`${base}/v1/boxes/nobody/attach`)).rejects.toThrow("what the server said");
    await other[Symbol.asyncDispose]();
  });

  it("can't carry a token, and says so", async () => {
    await expect(open("http://127.0.0.1:1/", "t0ken")).rejects.toThrow(/cookie/);
  });
});
