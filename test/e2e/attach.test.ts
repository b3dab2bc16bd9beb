import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { BoxRunClient } from "boxrun-sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestServer } from "./support/server.ts";
import { Screen } from "./support/terminal.ts";

const size = { cols: 80, rows: 24 };
let server: TestServer;
let client: BoxRunClient;
beforeAll(async () => {
  server = await TestServer.start();
  client = new BoxRunClient({ socketPath: server.socketPath });
  await server.http.createBox({ name: "dev" });
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function attach(options: { session?: string; share?: boolean; shell?: string } = {}): Promise<Screen> {
  return new Screen(await client.attach("dev", { size, ...options }));
}

const inBox = (script: string) => server.http.run("dev", ["sh", "-c", script]);

/** The shell's process id, in the box. */
async function pidOf(screen: Screen): Promise<string> {
  const [, pid] = (await screen.run("echo pid=$$")).match(/pid=(\d+)\r\n/) ?? [];
  if (pid === undefined) throw new Error("the shell does not tell its pid");
  return pid;
}

async function untilGone(pid: string): Promise<void> {
  await expect.poll(async () => (await inBox(`kill -0 ${pid}`)).exitCode, { timeout: 30_000 }).not.toBe(0);
}

describe("a terminal in a real box", () => {
  it("is a terminal of the size that the client has, and follows it", async () => {
    const screen = await attach();
    expect(await screen.run("tty; stty size; echo $TERM $HOME $USER $LANG")).toMatch(
      /\/dev\/pts\/\d+\r\n24 80\r\nxterm-256color \/root root C\.UTF-8\r\n/,
    );
    screen.terminal.resize({ cols: 132, rows: 43 });
    await expect.poll(() => screen.run("stty size")).toContain("43 132\r\n");
    await screen.type("exit 42\r");
    await screen.rest();
    expect(await screen.terminal.exit).toEqual({ code: 42 });
  });

  it("runs an editor", async () => {
    const screen = await attach();
    await screen.type("vi /tmp/letter\r");
    await screen.until("/tmp/letter");
    await screen.type("iDear box,");
    await screen.until("box,");
    await screen.type("\x1b");
    await screen.until("Modified");
    await screen.type(":wq\r");
    await screen.run("true");
    expect((await inBox("cat /tmp/letter")).stdout).toBe("Dear box,\n");
    await screen.terminal.detach();
  });

  it("takes Ctrl-C to the program, and characters of every length", async () => {
    const screen = await attach();
    await screen.type("sleep 86401\r");
    const sleeps = async () => (await inBox("grep -q '8640[1]' /proc/[0-9]*/cmdline")).exitCode;
    await expect.poll(sleeps, { timeout: 30_000 }).toBe(0);
    await screen.type("\x03");
    expect(await screen.run("echo code=$?")).toContain("code=130\r\n");
    await screen.run("echo 'grüße €😀' > /tmp/letters");
    expect((await inBox("cat /tmp/letters")).stdout).toBe("grüße €😀\n");
    expect(await screen.run("cat /tmp/letters")).toContain("grüße €😀\r\n");
    await screen.terminal.detach();
  });

  it("hands over 10 MB to a client that pauses, while the server's memory stays as it is", async () => {
    await inBox("head -c 10000000 /dev/zero | tr '\\0' x > /tmp/big");
    const screen = await attach();
    // What such a stream costs at first, in code and heap, is not what it holds: from the third on it is the same.
    for (let pass = 0; pass < 3; pass++) await screen.run("cat /tmp/big");
    const before = await serverMemoryBytes();
    await screen.type("cat /tmp/big; echo do''ne\r");
    await screen.until("xxx");
    // Nobody reads now: the program has to stop somewhere.
    const progress = async () =>
      (await inBox("cat $(grep -l 'tmp/bi[g]' /proc/[0-9]*/cmdline | sed s/cmdline/io/)")).stdout;
    let seen = "";
    for (let now = await progress(); now !== seen; now = await progress()) seen = now;
    expect(Number(seen.match(/wchar: (\d+)/)?.[1] ?? seen.match(/rchar: (\d+)/)?.[1])).toBeLessThan(6_000_000);
    const text = await screen.until("done\r\n");
    expect(text.match(/x/g)?.length).toBeGreaterThan(9_999_000);
    expect((await serverMemoryBytes()) - before).toBeLessThan(32 * 1024 * 1024);
    await screen.terminal.detach();
  });

  it("is there for ten clients who come at once", async () => {
    const screens = await Promise.all(Array.from({ length: 10 }, () => attach()));
    const texts = await Promise.all(screens.map((screen, n) => screen.run(`echo number=$((${n}))`)));
    for (const [n, text] of texts.entries()) expect(text).toContain(`number=${n}\r\n`);
    await Promise.all(screens.map((screen) => screen.terminal.detach()));
  });

  it("says so if its shell is not in the image", async () => {
    const screen = await attach({ shell: "/bin/fish" });
    expect(await screen.rest()).toBe("");
    await expect(screen.terminal.exit).rejects.toMatchObject({
      code: "RUNTIME_ERROR",
      message: expect.stringContaining("/bin/fish"),
    });
  });
});

describe("a shell without a name", () => {
  it("ends when the connection is lost, with what was started in it", async () => {
    const proxyPath = join(server.stateDir, "p.sock");
    const proxy = createServer((socket) => {
      const behind = connect(server.socketPath);
      void pipeline(socket, behind, socket).catch(() => undefined);
      proxy.once("cut", () => socket.destroy());
    });
    proxy.listen(proxyPath);
    await once(proxy, "listening");
    await using other = new BoxRunClient({ socketPath: proxyPath });
    const screen = new Screen(await other.attach("dev", { size }));
    const pid = await pidOf(screen);
    await screen.run("(nohup sleep 86402 > /dev/null 2>&1 &)");
    proxy.emit("cut");
    await screen.rest();
    await expect(screen.terminal.exit).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
    await untilGone(pid);
    await expect
      .poll(async () => (await inBox("grep -q '8640[2]' /proc/[0-9]*/cmdline")).exitCode, { timeout: 30_000 })
      .toBe(1);
    proxy.close();
  });

  it("is ended by the next server if the last one was killed", async () => {
    const screen = await attach();
    const pid = await pidOf(screen);
    await server.kill();
    await screen.rest();
    await expect(screen.terminal.exit).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
    await server.restart();
    await untilGone(pid);
  });
});

describe("a session in a real box", () => {
  it("survives a server that is killed, with its screen and all that was written meanwhile", async () => {
    const first = await attach({ session: "work" });
    const pid = await pidOf(first);
    // 2 MB: more than the agent keeps while there is no server.
    await inBox("seq 1 300000 > /tmp/numbers");
    await first.type("cat /tmp/numbers; echo fin''ished\r");
    await first.until("\n5000\r\n");
    await server.kill();
    await first.rest();
    await server.restart();
    expect(await client.sessions.list("dev")).toMatchObject([{ name: "work", clients: 0, survives_server: true }]);
    const second = await attach({ session: "work" });
    const text = await second.until("finished\r\n");
    const numbers = [...text.matchAll(/^(\d+)\r$/gm)].map(([, number]) => Number(number));
    expect(numbers.at(-1)).toBe(300_000);
    expect(numbers.length).toBeGreaterThan(30_000);
    expect(numbers).toEqual(Array.from(numbers, (_, n) => 300_000 - numbers.length + 1 + n));
    expect(await pidOf(second)).toBe(pid);
    await second.type("exit 3\r");
    await second.rest();
    expect(await second.terminal.exit).toEqual({ code: 3 });
    expect(await client.sessions.list("dev")).toEqual([]);
  });

  it("shows an editor's screen again to the client that comes back", async () => {
    const first = await attach({ session: "edit" });
    await first.type("vi /tmp/book\r");
    await first.until("/tmp/book");
    await first.type("iChapter 1");
    await first.until("ter 1");
    await first.terminal.detach();
    const second = await attach({ session: "edit" });
    await second.until("/tmp/book");
    await second.type("\x1b");
    await second.until("Modified");
    await second.type(":wq\r");
    await second.run("true");
    expect((await inBox("cat /tmp/book")).stdout).toBe("Chapter 1\n");
    await client.sessions.remove("dev", "edit");
  });

  it("ends with everything in it when it is removed, whatever that ignores", async () => {
    const screen = await attach({ session: "stubborn" });
    const pid = await pidOf(screen);
    await screen.run("trap '' HUP TERM; (nohup sleep 86403 > /dev/null 2>&1 &)");
    await client.sessions.remove("dev", "stubborn");
    expect((await inBox(`kill -0 ${pid}`)).exitCode).not.toBe(0);
    expect((await inBox("grep -q '8640[3]' /proc/[0-9]*/cmdline")).exitCode).toBe(1);
    await screen.rest();
    await expect(screen.terminal.exit).rejects.toMatchObject({ message: "Session stubborn was removed" });
  });
});

async function serverMemoryBytes(): Promise<number> {
  const status = await readFile(`/proc/${server.pid}/status`, "utf8");
  return Number(status.match(/^VmRSS:\s+(\d+) kB/m)?.[1]) * 1024;
}
