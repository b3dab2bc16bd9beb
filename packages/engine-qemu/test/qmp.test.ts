import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { lastWords } from "../src/vm/console.ts";
import { watchGuest } from "../src/vm/machine.ts";
import { Qmp } from "../src/vm/qmp.ts";

const dir = mkdtempSync(join(tmpdir(), "bm-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let sockets = 0;

/** A QEMU that answers each command with what `reply` gives, or with nothing. */
async function fakeQemu(reply: (command: string, socket: Socket) => object | undefined): Promise<string> {
  const path = join(dir, `${sockets++}.sock`);
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n');
    let rest = "";
    socket.on("data", (chunk) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { execute, id } = JSON.parse(line);
        const answer = execute === "qmp_capabilities" ? { return: {} } : reply(execute, socket);
        if (answer !== undefined) socket.write(`${JSON.stringify({ ...answer, id })}\r\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())));
  return path;
}

const connect = async (path: string) => {
  const qmp = await Qmp.connect(path);
  onTestFinished(() => qmp.close());
  return qmp;
};

test("answers find their commands, whatever the order", async () => {
  const held: (() => void)[] = [];
  const path = await fakeQemu((command, socket) => {
    if (command === "slow") {
      held.push(() => socket.write('{"return": "slow", "id": 2}\r\n'));
      return undefined;
    }
    return { return: command };
  });
  const qmp = await connect(path);
  const slow = qmp.execute("slow");
  expect(await qmp.execute("fast")).toBe("fast");
  held[0]?.();
  expect(await slow).toBe("slow");
});

test("a refusal rejects with QEMU's own words", async () => {
  const qmp = await connect(await fakeQemu(() => ({ error: { class: "GenericError", desc: "no such device" } })));
  await expect(qmp.execute("eject")).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: "QMP eject: no such device",
  });
});

test("commands under way reject when QEMU ends", async () => {
  const path = await fakeQemu((_, socket) => {
    socket.destroy();
    return undefined;
  });
  const qmp = await connect(path);
  await expect(qmp.execute("quit")).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
  await qmp.closed;
});

test("a guest's end shows, with QEMU still holding it, before its commands go on", async () => {
  const path = await fakeQemu((_, socket) => {
    socket.write('{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}, "timestamp": {}}\r\n');
    return { return: {} };
  });
  const qmp = await connect(path);
  const end = watchGuest(qmp);
  await qmp.execute("cont");
  expect(await end).toEqual({ held: true, how: "it shut down or its kernel panicked" });
});

test("a VM that QEMU stopped by itself has ended; one that it resumed has not", async () => {
  let status = "running";
  const path = await fakeQemu((command, socket) => {
    if (command === "query-status") return { return: { status } };
    socket.write('{"event": "STOP"}\r\n');
    return { return: {} };
  });
  const qmp = await connect(path);
  let end: unknown;
  const ended = watchGuest(qmp).then((how) => {
    end = how;
  });
  await qmp.execute("stop");
  await qmp.execute("query-status");
  expect(end).toBeUndefined();
  status = "internal-error";
  await qmp.execute("stop");
  await ended;
  expect(end).toEqual({ held: true, how: "QEMU stopped it (internal-error)" });
});

test("the console's last words are printable, few and short, whatever the guest wrote", async () => {
  const written = `first\r\n\x1b[31mred\x1b[0m\x07\r\n${"x".repeat(5000)}\r\n\x00\r\nKernel panic\xff\r\n`;
  const qmp = await connect(await fakeQemu(() => ({ return: Buffer.from(written, "latin1").toString("base64") })));
  const words = await lastWords(qmp);
  expect(words.split(" | ")).toEqual(["red", "x".repeat(300), "Kernel panic\uFFFD"]);
});
