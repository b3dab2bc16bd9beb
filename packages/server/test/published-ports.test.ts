import { once } from "node:events";
import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { boxSchema, urls } from "@boxrun/contract";
import { MemoryHost } from "@boxrun/engine-testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { ask } from "./support/http.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

const image = { image: "base", cpu: 1, memory_mb: 64 };

async function create(server: TestServer, ports: object[], name = "web") {
  return boxSchema.parse((await ask(server, urls.boxes(), { body: { ...image, name, ports } })).json);
}

/** Each connection to port 80 of the box hears what it says. */
async function serve(server: TestServer, box: string) {
  await ask(server, urls.startExec(box), { body: { cmd: ["nc", "-ll", "-p", "80", "-e", "cat"] } });
}

async function echoed(port: number, host = "127.0.0.1"): Promise<string> {
  const socket = connect({ port, host, allowHalfOpen: true });
  socket.end("hello");
  return await text(socket);
}

const portOf = (box: { ports?: { host_port: number }[] | undefined }) => box.ports?.[0]?.host_port ?? 0;

describe("a published port", () => {
  it("leads into the box for as long as it runs, on loopback unless told otherwise", async () => {
    await using server = await startTestServer({ tcp: null });
    const box = await create(server, [{ guest_port: 80 }, { guest_port: 80, host_ip: "::1" }]);
    expect(box.ports).toMatchObject([
      { guest_port: 80, host_ip: "127.0.0.1" },
      { guest_port: 80, host_ip: "::1" },
    ]);
    // Nothing listens in the box yet.
    await expect(echoed(portOf(box))).rejects.toThrow("ECONNRESET");
    await serve(server, box.id);
    expect(await echoed(portOf(box))).toBe("hello");
    expect(await echoed(box.ports?.[1]?.host_port ?? 0, "::1")).toBe("hello");
    const open = connect({ port: portOf(box), host: "127.0.0.1" });
    open.on("error", () => undefined);
    await once(open, "connect");
    await ask(server, urls.stopBox(box.id), { method: "POST" });
    await text(open).catch(() => "");
    await expect(echoed(portOf(box))).rejects.toThrow("ECONNREFUSED");
    await ask(server, urls.startBox(box.id), { method: "POST" });
    await serve(server, box.id);
    expect(await echoed(portOf(box))).toBe("hello");
    await ask(server, urls.removeBox(box.id, true), { method: "DELETE" });
    await expect(echoed(portOf(box))).rejects.toThrow("ECONNREFUSED");
  });

  it("is taken up again by the next server", async () => {
    const host = new MemoryHost();
    const first = await startTestServer({ tcp: null, host });
    const box = await create(first, [{ guest_port: 80 }]);
    await serve(first, box.id);
    await first.stop();
    await expect(echoed(portOf(box))).rejects.toThrow("ECONNREFUSED");
    await using next = await startTestServer({ tcp: null, host, stateDir: first.stateDir });
    expect(await echoed(portOf(box))).toBe("hello");
    expect((await ask(next, urls.box(box.id))).json).toMatchObject({ ports: box.ports, status: "running" });
  });

  it("that another program has by then makes the box impaired, and starting it fails until the port is free", async () => {
    const host = new MemoryHost();
    const first = await startTestServer({ tcp: null, host });
    const box = await create(first, [{ guest_port: 80 }]);
    await first.stop();
    const thief = createServer().listen(portOf(box), "127.0.0.1");
    onTestFinished(() => void thief.close());
    await once(thief, "listening");
    await using next = await startTestServer({ tcp: null, host, stateDir: first.stateDir });
    const impaired = expect.stringContaining("another program listens there");
    expect((await ask(next, urls.box(box.id))).json).toMatchObject({ status: "running", impaired });
    await ask(next, urls.stopBox(box.id), { method: "POST" });
    const start = () => ask(next, urls.startBox(box.id), { method: "POST" });
    expect(await start()).toMatchObject({ status: 409, json: { code: "PORT_IN_USE" } });
    expect((await ask(next, urls.box(box.id))).json).toMatchObject({ status: "stopped" });
    thief.close();
    await once(thief, "close");
    expect((await start()).json).toMatchObject({ status: "running", ports: box.ports });
  });

  it("that is taken is an error at create, and nothing is left", async () => {
    await using server = await startTestServer({ tcp: null });
    const box = await create(server, [{ guest_port: 80 }]);
    const ports = [{ guest_port: 80 }, { guest_port: 80, host_port: portOf(box) }];
    const refused = await ask(server, urls.boxes(), { body: { ...image, name: "second", ports } });
    const message = `Cannot publish a port at 127.0.0.1:${portOf(box)}: box ${box.name} has it`;
    expect(refused).toMatchObject({ status: 409, json: { code: "PORT_IN_USE", message } });
    expect((await ask(server, urls.boxes())).json).toHaveLength(1);
    expect((await ask(server, urls.info())).json).toMatchObject({ used_cpu: 1 });
  });

  it("that is given twice is told so", async () => {
    await using server = await startTestServer({ tcp: null });
    const first = await create(server, [{ guest_port: 80 }]);
    const free = portOf(first);
    await ask(server, urls.removeBox(first.id, true), { method: "DELETE" });
    const ports = [80, 81].map((port) => ({ guest_port: port, host_port: free }));
    const refused = await ask(server, urls.boxes(), { body: { ...image, name: "twice", ports } });
    const message = `Cannot publish a port at 127.0.0.1:${free}: it is given twice`;
    expect(refused).toMatchObject({ status: 409, json: { code: "PORT_IN_USE", message } });
  });

  it.each([
    ["an address that the host does not have", { guest_port: 80, host_ip: "203.0.113.7" }, "does not have the address"],
    ["a name", { guest_port: 80, host_ip: "localhost" }, "ports.0.host_ip"],
    ["port 0 of the box", { guest_port: 0 }, "ports.0.guest_port"],
  ])("is refused for %s", async (_, port, message) => {
    await using server = await startTestServer({ tcp: null });
    const refused = await ask(server, urls.boxes(), { body: { ...image, ports: [port] } });
    expect(refused).toMatchObject({
      status: 422,
      json: { code: "VALIDATION_ERROR", message: expect.stringContaining(message) },
    });
  });
});
