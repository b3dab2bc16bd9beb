import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryHost } from "@boxrun/engine-testkit";
import { startTestServer, type TestServer } from "@boxrun/server/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type BoxHandle, BoxRunClient, BoxRunError, CommandFailed } from "../src/index.ts";

let server: TestServer;
let client: BoxRunClient;
let box: BoxHandle;
let dir: string;

beforeAll(async () => {
  server = await startTestServer({ host: new MemoryHost() });
  client = new BoxRunClient({ socketPath: server.http.socketPath });
  box = await client.create("base", { name: "dev", cpu: 1, memoryMb: 64, env: { snakeCase: "kept" } });
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "br-handle-"));
  return () => rm(dir, { recursive: true, force: true });
});

const execStatus = async (id: string) => (await client.execs.get(box.id, id)).status;

describe("a box", () => {
  it("is made with options in JavaScript's names, and its variables in their own", () => {
    expect(box.info).toMatchObject({ name: "dev", cpu: 1, memory_mb: 64, env: { snakeCase: "kept" } });
    expect([box.name, box.status]).toEqual(["dev", "running"]);
  });

  it("is found by id and by name, and listed", async () => {
    expect((await client.get("dev")).id).toBe(box.id);
    expect((await client.get(box.id)).id).toBe(box.id);
    expect((await client.list({ status: "running" })).map(({ id }) => id)).toEqual([box.id]);
    await expect(client.get("nobody")).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
  });

  it("stops and starts, and its handle knows", async () => {
    await using other = await client.create("base", { cpu: 1, memoryMb: 64 });
    await other.stop({ timeoutMs: 0 });
    expect(other.status).toBe("stopped");
    await other.start();
    expect(other.status).toBe("running");
    await client.boxes.stop(other.id);
    expect(other.status).toBe("running");
    expect(await other.refresh()).toMatchObject({ status: "stopped" });
    expect(other.status).toBe("stopped");
  });

  it("takes ports and volumes in JavaScript's names too", async () => {
    const options = { cpu: 1, memoryMb: 64, volumes: [{ hostPath: dir, guestPath: "/data", readonly: true }] };
    await using other = await client.create("base", { ...options, ports: [{ guestPort: 80, hostIp: "127.0.0.1" }] });
    expect(other.info.volumes).toEqual([{ host_path: dir, guest_path: "/data", readonly: true }]);
    expect(other.info.ports).toEqual([{ guest_port: 80, host_port: expect.any(Number), host_ip: "127.0.0.1" }]);
  });

  it("lives as long as it is told to, and is listed by its labels", async () => {
    await using other = await client.create("base", { cpu: 1, memoryMb: 64, labels: { team: "ci" } });
    expect((await client.list({ labels: ["team=ci"] })).map(({ id }) => id)).toEqual([other.id]);
    await other.extend(3600, { onExpiry: "stop" });
    expect(other.info).toMatchObject({ on_expiry: "stop", expires_at: expect.any(String) });
    await other.extend(null);
    expect(other.info.expires_at).toBeUndefined();
  });

  it("tells what it uses", async () => {
    expect(await box.stats()).toMatchObject({ box_id: box.id });
    for await (const stats of box.followStats()) {
      expect(stats.box_id).toBe(box.id);
      break;
    }
  });

  it("is gone behind `await using`, also where it was removed before", async () => {
    const ids: string[] = [];
    {
      await using one = await client.create("base", { cpu: 1, memoryMb: 64 });
      await using two = await client.create("base", { cpu: 1, memoryMb: 64 });
      ids.push(one.id, two.id);
      await two.remove({ force: true });
    }
    for (const id of ids) await expect(client.get(id)).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
  });

  it("runs one command and goes", async () => {
    const ended = await client.run("base", ["sh", "-c", "echo out; echo err >&2; exit 4"], { cpu: 1, memoryMb: 64 });
    expect(ended).toEqual({
      ok: false,
      exitCode: 4,
      stdout: "out\n",
      stderr: "err\n",
      errorMessage: null,
      truncated: false,
    });
    const checked = client.run("base", ["sh", "-c", "echo why >&2; exit 4"], { cpu: 1, memoryMb: 64, check: true });
    await expect(checked).rejects.toMatchObject({ code: "COMMAND_FAILED", result: { exitCode: 4 } });
    expect(await client.list()).toHaveLength(1);
  });
});

describe("a command", () => {
  it("resolves with its exit code and output; failing is a result", async () => {
    const ended = await box.shell("echo out; echo err >&2; exit 4");
    expect(ended).toMatchObject({ ok: false, exitCode: 4, status: "failed", stdout: "out\n", stderr: "err\n" });
    expect(await box.exec(["echo", "a b"])).toMatchObject({ ok: true, exitCode: 0, stdout: "a b\n", truncated: false });
  });

  it("throws with `check`, and says what it was and why", async () => {
    const error = await box.shell("echo no luck >&2; exit 4", { check: true }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CommandFailed);
    expect(error).toMatchObject({ code: "COMMAND_FAILED", result: { exitCode: 4, stderr: "no luck\n" } });
    expect(String(error)).toContain("it exited with 4: no luck");
    expect((await box.exec(["true"], { check: true })).ok).toBe(true);
  });

  it("is no string, which would be run as one word", async () => {
    const asString = JSON.parse('"ls -l"');
    await expect(box.exec(asString)).rejects.toThrow('shell("ls -l")');
  });

  it("gets input, bytes and all, and may leave it unread", async () => {
    const bytes = new Uint8Array([0xff, 0x00, 0x0a]);
    expect([...(await box.exec(["cat"], { stdin: bytes })).stdoutBytes]).toEqual([...bytes]);
    expect((await box.exec(["cat"], { stdin: "text" })).stdout).toBe("text");
    expect((await box.exec(["true"], { stdin: "x".repeat(1_000_000) })).exitCode).toBe(0);
  });

  it("is ended when its input's source fails", async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode("first");
      throw new Error("the source broke");
    }
    await expect(box.exec(["cat"], { stdin: broken() })).rejects.toThrow("the source broke");
    const [latest] = await box.execs();
    expect(latest).toMatchObject({ cmd: ["cat"], status: "canceled" });
  });

  it("is ended when its call is given up", async () => {
    const givingUp = new AbortController();
    const call = box.exec(["sleep", "60"], { signal: givingUp.signal });
    await expect.poll(async () => (await box.execs())[0]?.cmd).toEqual(["sleep", "60"]);
    const [sleeping] = await box.execs();
    givingUp.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
    expect(await execStatus(sleeping?.id ?? "")).toBe("canceled");
  });

  it("that runs into its time is one", async () => {
    expect(await box.exec(["sleep", "60"], { timeoutMs: 50 })).toMatchObject({ ok: false, status: "timeout" });
  });

  it("in a box that does not run is refused with a code", async () => {
    await using other = await client.create("base", { cpu: 1, memoryMb: 64 });
    await other.stop({ timeoutMs: 0 });
    const error = await other.exec(["true"]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BoxRunError);
    expect(error).toMatchObject({ code: "BOX_NOT_RUNNING" });
  });
});

describe("a command that is followed", () => {
  it("tells its output as it comes, is written to, and ends", async () => {
    const running = box.execStream(["cat"], { stdin: true });
    const input = running.stdin.getWriter();
    await input.write("one\n");
    const heard: string[] = [];
    for await (const event of running) {
      if (event.type === "exit") heard.push(`exit ${event.exitCode} ${event.status}`);
      else {
        heard.push(`${event.type} ${event.text}`);
        if (heard.length === 1) await input.write(new TextEncoder().encode("two\n"));
        else await input.close();
      }
    }
    expect(heard).toEqual(["stdout one\n", "stdout two\n", "exit 0 succeeded"]);
  });

  it("goes on over a restart of the server in its middle, input too, and each piece comes once", async () => {
    const running = box.execStream(["cat"], { stdin: true });
    const input = running.stdin.getWriter();
    await input.write("1");
    let text = "";
    for await (const event of running) {
      if (event.type === "exit") break;
      text += event.text;
      if (text === "1") {
        const { stateDir, host } = server;
        await server.stop();
        server = await startTestServer({ stateDir, host });
      }
      if (text.length < 4) await input.write(String(text.length + 1));
      else await input.close();
    }
    expect(text).toBe("1234");
  });

  it("runs on when its loop is left, and another follows it from there", async () => {
    const running = box.execStream(["cat"], { stdin: true });
    const input = running.stdin.getWriter();
    await input.write("one");
    let seen = 0;
    for await (const event of running) {
      seen = event.seq;
      break;
    }
    const { id } = await running.started;
    expect(await execStatus(id)).toBe("running");
    await input.write("two");
    await input.close();
    const rest: string[] = [];
    for await (const event of box.follow(id, { after: seen })) if (event.type !== "exit") rest.push(event.text);
    expect(rest.join("")).toBe("two");
  });

  it("is ended behind `await using`", async () => {
    let id: string;
    {
      await using running = box.execStream(["sleep", "60"]);
      id = (await running.started).id;
    }
    expect(await execStatus(id)).toBe("canceled");
  });

  it("takes signals, and sizes of its terminal", async () => {
    const running = box.execStream(["sleep", "60"], { tty: { cols: 80, rows: 24 } });
    await running.resize({ cols: 100, rows: 30 });
    await running.signal("SIGKILL");
    for await (const event of running) expect(event).toMatchObject({ type: "exit", exitCode: 137, status: "failed" });
    await running.cancel();
  });

  it("that is refused says so to whoever reads, and ends no process where nobody does", async () => {
    const refused = box.execStream(["true"], { workdir: "no/absolute/path" });
    await expect(refused[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
    await expect(refused.started).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
  });
});

describe("files", () => {
  it("are written and read as text, as bytes and as streams", async () => {
    await box.files.write("/t/text", "grüße");
    expect(await box.files.readText("/t/text")).toBe("grüße");
    const bytes = new Uint8Array([1, 0, 255]);
    await box.files.write("/t/bytes", bytes);
    expect([...(await box.files.read("/t/bytes"))]).toEqual([...bytes]);
    await box.files.write("/t/stream", await box.files.stream("/t/text"));
    expect(await new Response(await box.files.stream("/t/stream")).text()).toBe("grüße");
    expect((await box.files.list("/t")).map(({ name }) => name)).toEqual(["bytes", "stream", "text"]);
    await box.files.remove("/t");
    await expect(box.files.list("/t")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });

  it("tell how far they are", async () => {
    const content = "x".repeat(300_000);
    await writeFile(join(dir, "large"), content);
    const sent: number[] = [];
    await box.files.upload(join(dir, "large"), "/large", { onProgress: (bytes) => sent.push(bytes) });
    expect(sent.length).toBeGreaterThan(1);
    expect(sent.at(-1)).toBe(content.length);
    expect(sent).toEqual(sent.toSorted((a, b) => a - b));
    const got: number[] = [];
    await box.files.download("/large", join(dir, "back"), { onProgress: (bytes) => got.push(bytes) });
    expect(got.at(-1)).toBe(content.length);
    expect(await readFile(join(dir, "back"), "utf8")).toBe(content);
    const whole: number[] = [];
    await box.files.write("/whole", "größe", { onProgress: (bytes) => whole.push(bytes) });
    expect(whole).toEqual([7]);
  });

  it("go to and fro as directories, hidden ones, links, odd names and empty directories too", async () => {
    const source = join(dir, "tree");
    await mkdir(join(source, "deep/empty"), { recursive: true });
    await writeFile(join(source, "@odd name"), "odd");
    await writeFile(join(source, "deep/.hidden"), "hidden");
    await chmod(join(source, "deep/.hidden"), 0o750);
    await box.files.upload(source, "/tree");
    await box.files.download("/tree", join(dir, "back"));
    expect((await readdir(join(dir, "back"), { recursive: true })).sort()).toEqual(
      (await readdir(source, { recursive: true })).sort(),
    );
    expect(await readFile(join(dir, "back/@odd name"), "utf8")).toBe("odd");
    expect((await stat(join(dir, "back/deep/.hidden"))).mode & 0o7777).toBe(0o750);
    await mkdir(join(dir, "none"));
    await box.files.upload(join(dir, "none"), "/none");
    await box.files.download("/none", join(dir, "none-back"));
    expect(await readdir(join(dir, "none-back"))).toEqual([]);
  });

  it("leave what was there where they break off or are missing", async () => {
    await writeFile(join(dir, "kept"), "kept");
    await expect(box.files.download("/no/such", join(dir, "kept"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    expect(await readFile(join(dir, "kept"), "utf8")).toBe("kept");
    expect(await readdir(dir)).toEqual(["kept"]);
    await expect(box.files.upload(join(dir, "missing"), "/x")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
