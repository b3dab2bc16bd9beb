import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { Reception, secretSize } from "../src/reception.ts";

const dir = mkdtempSync(join(tmpdir(), "br-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let sockets = 0;

async function open(successor?: Buffer) {
  const path = join(dir, `${sockets++}.sock`);
  const secret = randomBytes(secretSize);
  const reception = await Reception.open(path, successor === undefined ? { secret } : { successor });
  onTestFinished(() => reception.close());
  const call = async (...said: Buffer[]): Promise<Socket> => {
    const socket = connect(path);
    onTestFinished(() => {
      socket.destroy();
    });
    socket.on("error", () => undefined);
    for (const piece of said) {
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return socket;
  };
  return { path, secret, reception, call };
}

const soon = () => AbortSignal.timeout(5000);

async function firstBytes(stream: NodeJS.ReadableStream): Promise<string> {
  const [chunk] = await once(stream, "data");
  return String(chunk);
}

test("a caller that says the secret is the agent, and what it says next is still to be read", async () => {
  const { reception, secret, call } = await open();
  const connecting = reception.connect(soon());
  await call(Buffer.concat([secret, Buffer.from("greeting")]));
  expect(await firstBytes(await connecting)).toBe("greeting");
});

test("the secret may come in pieces, and before anybody asks for the agent", async () => {
  const { reception, secret, call } = await open();
  const caller = await call(secret.subarray(0, 5), secret.subarray(5, 31), secret.subarray(31));
  caller.write("later");
  expect(await firstBytes(await reception.connect(soon()))).toBe("later");
});

test("the agent is welcomed with one byte, so that it knows a server from a connection that leads nowhere", async () => {
  const { secret, call } = await open();
  const caller = await call(secret);
  expect(await once(caller, "data")).toEqual([Buffer.of(6)]);
});

test("a caller with another secret, or with too little of it, is hung up on and never handed out", async () => {
  const { reception, secret, call } = await open();
  const over = new AbortController();
  const connecting = reception.connect(over.signal);
  const wrong = await call(randomBytes(secretSize));
  await once(wrong, "close");
  const short = await call(secret.subarray(0, 31));
  short.end();
  await once(short, "close");
  over.abort(new Error("nobody was let in"));
  await expect(connecting).rejects.toThrow("nobody was let in");
});

test("of a VM that was just started the first caller is the agent, and whoever says something else later is not", async () => {
  const path = join(dir, `${sockets++}.sock`);
  const reception = await Reception.open(path, {});
  onTestFinished(() => reception.close());
  const call = (said: Buffer) => {
    const socket = connect(path).on("error", () => undefined);
    onTestFinished(() => {
      socket.destroy();
    });
    socket.write(said);
    return socket;
  };
  const secret = randomBytes(secretSize);
  const first = reception.connect(soon());
  const lost = call(secret);
  await first;
  expect(reception.secret).toEqual(secret);
  await once(call(randomBytes(secretSize)), "close");
  lost.destroy();
  call(Buffer.concat([secret, Buffer.from("again")]));
  expect(await firstBytes(await reception.connect(soon()))).toBe("again");
});

test("an agent that is to be another one is sent that, as often as it calls; the other one is let in", async () => {
  const { reception, call } = await open(Buffer.from("program"));
  const connecting = reception.connect(soon());
  const old = randomBytes(secretSize);
  for (const attempt of [await call(old), await call(old)]) {
    expect(await text(attempt)).toBe("\u0007\0\0\0\u0007program");
  }
  const secret = randomBytes(secretSize);
  await call(secret, Buffer.from("the other"));
  expect(await firstBytes(await connecting)).toBe("the other");
  expect(reception.secret).toEqual(secret);
  await once(await call(old), "close");
});

test("only the newest of the calls that ask for the other agent is sent it: those before are hung up on", async () => {
  const { call } = await open(Buffer.alloc(32 * 1024 * 1024));
  const said = randomBytes(secretSize);
  const first = await call(said);
  await once(first, "readable");
  // It has read nothing so far: the rest of what it is to be sent is still with us.
  await once(await call(said), "readable");
  expect((await buffer(first)).length).toBeLessThan(16 * 1024 * 1024);
});

test("strangers that say nothing don't keep the agent out, and at most 16 of them are heard", async () => {
  const { reception, secret, call } = await open();
  const silent: Socket[] = [];
  for (let count = 0; count < 17; count += 1) silent.push(await call());
  const first = silent[0];
  if (first !== undefined && !first.closed) await once(first, "close");
  await call(secret, Buffer.from("it is me"));
  expect(await firstBytes(await reception.connect(soon()))).toBe("it is me");
});

test("the agent's newest call counts: an earlier one that nobody asked for is hung up", async () => {
  const { reception, secret, call } = await open();
  const earlier = (await call(secret)).resume();
  const closed = once(earlier, "close");
  await call(secret, Buffer.from("second"));
  await closed;
  expect(await firstBytes(await reception.connect(soon()))).toBe("second");
});

test("a newer call ends the one in use: the agent has one at a time, and does not call while that lives", async () => {
  const { reception, secret, call } = await open();
  const connecting = reception.connect(soon());
  await call(secret);
  const closed = once((await connecting).resume(), "close");
  await call(secret, Buffer.from("second"));
  await closed;
  expect(await firstBytes(await reception.connect(soon()))).toBe("second");
});

test("a path that an earlier server left is taken over", async () => {
  const { path, secret, call } = await open();
  const next = await Reception.open(path, { secret });
  onTestFinished(() => next.close());
  const connecting = next.connect(soon());
  await call(secret, Buffer.from("to the next"));
  expect(await firstBytes(await connecting)).toBe("to the next");
});

test("what the agent sends is taken while nothing that it is sent is read, so that neither waits for the other", async () => {
  const { reception, secret, call } = await open();
  const connecting = reception.connect(soon());
  const caller = await call(secret);
  const stream = await connecting;
  caller.pause();
  const much = Buffer.alloc(8 * 1024 * 1024);
  const taken = new Promise<void>((resolve) => stream.write(much, () => resolve()));
  // More than a Unix socket holds; nobody reads the stream.
  await new Promise<void>((resolve) => caller.write(much, () => resolve()));
  caller.resume();
  await taken;
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length === much.length) break;
  }
  expect(length).toBe(much.length);
});

test("an agent that sends without end is hung up on", async () => {
  const { reception, secret, call } = await open();
  const connecting = reception.connect(soon());
  const caller = (await call(secret)).resume();
  const stream = await connecting;
  const failed = once(stream, "error");
  const closed = new Promise((resolve) => caller.once("close", resolve));
  caller.write(Buffer.alloc(33 * 1024 * 1024));
  expect(String((await failed)[0])).toContain("more than it may");
  await closed;
});

test("a process that waits for a call does not end meanwhile; one that waits for none does", async () => {
  const reception = JSON.stringify(new URL("../src/reception.ts", import.meta.url).href);
  const path = JSON.stringify(join(dir, `${sockets++}.sock`));
  const program = (work: string) => `
    import { Reception, secretSize } from ${reception};
    const reception = await Reception.open(${path}, { secret: Buffer.alloc(secretSize) });
    ${work}`;
  const run = (work: string) => promisify(execFile)(process.execPath, ["--input-type=module", "-e", program(work)]);
  const waiting = await run(
    "await reception.connect(AbortSignal.timeout(300)).catch(({ name }) => console.log(name));",
  );
  expect(waiting.stdout).toBe("TimeoutError\n");
  expect((await run("console.log('open');")).stdout).toBe("open\n");
});
