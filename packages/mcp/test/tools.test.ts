import { BoxRunError } from "@boxrun/contract/plain";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toolNames } from "../src/index.ts";
import { startTestServer, TestClient, textOf } from "./support/client.ts";

/** The same tools over both transports, with the protocol's own client, which checks every structured answer against the listed schema. */
describe.each([
  ["over stdio", () => startTestServer().then((server) => TestClient.overStdio(server))],
  ["over HTTP", () => startTestServer().then((server) => TestClient.overHttp(server))],
])("the tools %s", (_, connect) => {
  let mcp: TestClient;
  beforeAll(async () => {
    mcp = await connect();
    await mcp.done("box_create", { name: "dev" });
  });
  afterAll(() => mcp?.[Symbol.asyncDispose]());

  it("are listed with a title, a description, schemas and annotations", async () => {
    const { tools } = await mcp.client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(toolNames);
    for (const tool of tools) {
      expect(tool.title).toMatch(/^[A-Z]/);
      expect(tool.description?.length).toBeGreaterThan(50);
      expect(tool.inputSchema).toMatchObject({ type: "object", additionalProperties: false });
      expect(tool.outputSchema).toMatchObject({ type: "object" });
    }
    const marked = (hint: "readOnlyHint" | "destructiveHint") =>
      tools.filter(({ annotations }) => annotations?.[hint]).map(({ name }) => name);
    expect(marked("readOnlyHint")).toEqual(["box_list", "exec_output", "file_read", "file_list"]);
    expect(marked("destructiveHint")).toEqual([
      ...["box_stop", "box_remove", "exec", "exec_start", "exec_kill", "file_write", "file_edit"],
    ]);
  });

  it("run a command in a box of its own, of which nothing is left", async () => {
    const result = await mcp.call("run", { command: "echo hello; echo trouble >&2; exit 3" });
    expect(result.structuredContent).toEqual({
      ...{ exit_code: 3, stdout: "hello\n", stderr: "trouble\n", truncated: false, error: null },
    });
    expect(textOf(result)).toBe("hello\n[stderr]\ntrouble\n[exit code 3]");
    expect((await mcp.done("box_list")).total).toBe(1);
  });

  it("make a box, work in it over several calls, stop it, start it and remove it", async () => {
    const made = await mcp.done("box_create", { memory_mb: 64, env: { SECRET: "s3cret" } });
    expect(made).toMatchObject({ status: "running", image: "base", memory_mb: 64, network: false, error: null });
    expect(made.name).toMatch(/^mcp-/);
    expect(JSON.stringify(made)).not.toContain("s3cret");
    await mcp.done("file_write", { box: made.name, path: "/root/a.txt", content: "one\n" });
    expect(await mcp.done("box_stop", { box: made.id })).toMatchObject({ status: "stopped" });
    expect(await mcp.refused("exec", { box: made.id, command: "true" })).toMatch(/BOX_NOT_RUNNING: .*\nbox_start /s);
    expect(await mcp.done("box_start", { box: made.id })).toMatchObject({ status: "running" });
    expect(await mcp.done("exec", { box: made.id, command: "cat /root/a.txt" })).toMatchObject({ stdout: "one\n" });
    expect(await mcp.refused("box_remove", { box: made.id })).toMatch(/BOX_ALREADY_RUNNING: .*\n.*force: true/s);
    expect(await mcp.done("box_remove", { box: made.name, force: true })).toEqual({
      ...{ id: made.id, name: made.name, removed: true },
    });
    expect(await mcp.refused("exec", { box: made.id, command: "true" })).toMatch(/BOX_NOT_FOUND: .*\nbox_list /s);
  });

  it("say how a command ended, which is no error of the tool, with its directory, variables and standard input", async () => {
    const command = "pwd; echo $NAME; cat; exit 7";
    const result = await mcp.call("exec", {
      box: "dev",
      command,
      workdir: "/tmp",
      env: { NAME: "v" },
      stdin: "typed\n",
    });
    expect(result.isError).toBeUndefined();
    expect(result.structuredContent).toMatchObject({
      status: "failed",
      exit_code: 7,
      stdout: "/tmp\nv\ntyped\n",
      truncated: false,
    });
    expect(textOf(result)).toMatch(/^\/tmp\nv\ntyped\n\[failed, exit code 7; exec exec_[\w-]+\]$/);
    expect(await mcp.done("exec", { box: "dev", command: "sleep 60", timeout_seconds: 0.05 })).toMatchObject({
      status: "timeout",
    });
  });

  it("leave out the middle of long output, and give it when asked", async () => {
    const { stdout } = await mcp.done("exec", { box: "dev", command: "seq 1 3000", output_limit: 200_000 });
    const result = await mcp.call("exec", { box: "dev", command: "seq 1 3000", output_limit: 1000 });
    const { exec_id, stdout: cut, stdout_length, truncated } = Object(result.structuredContent);
    expect([truncated, stdout_length]).toEqual([true, String(stdout).length]);
    const [, head, id, offset, tail] =
      /^(.{500})\n\[… \d+ characters of stdout are left out here: exec_output with exec_id ([\w-]+), stream stdout, offset (\d+) …\]\n(.{500})$/s.exec(
        cut,
      ) ?? [];
    expect(id).toBe(exec_id);
    const missing = stdout_length - 1000;
    const rest = await mcp.done("exec_output", { box: "dev", exec_id, offset: Number(offset), limit: missing });
    expect(`${head}${rest.text}${tail}`).toBe(stdout);
    expect(rest).toMatchObject({ next_offset: 500 + missing, at_end: false, stderr_length: 0 });
    const last = await mcp.done("exec_output", { box: "dev", exec_id, offset: -5 });
    expect(last).toMatchObject({ text: "3000\n", offset: stdout_length - 5, at_end: true });
  });

  it("start a program that runs on, wait for what it says, and end it", async () => {
    const started = await mcp.done("exec_start", {
      box: "dev",
      command: "echo ready >&2; sleep 1; echo more; sleep 60",
    });
    expect(started).toMatchObject({ status: "running", exit_code: null });
    const { exec_id } = started;
    const ask = { box: "dev", exec_id, wait_seconds: 30 };
    expect(await mcp.done("exec_output", { ...ask, stream: "stderr" })).toMatchObject({
      text: "ready\n",
      next_offset: 6,
    });
    expect(await mcp.done("exec_output", ask)).toMatchObject({ text: "more\n", status: "running", at_end: false });
    expect(await mcp.done("exec_output", { ...ask, offset: 5, wait_seconds: 0.01 })).toMatchObject({
      text: "",
      at_end: false,
    });
    expect(await mcp.done("exec_kill", { box: "dev", exec_id })).toMatchObject({ status: "canceled" });
    expect(await mcp.done("exec_kill", { box: "dev", exec_id })).toMatchObject({ status: "canceled" });
    expect(await mcp.done("exec_output", { ...ask, offset: 5 })).toMatchObject({ text: "", at_end: true });
  });

  it("write, read, change and list files", async () => {
    const path = "/root/project/main.py";
    await mcp.done("file_write", { box: "dev", path, content: "a = 1\nb = 1\n" });
    expect(await mcp.refused("file_edit", { box: "dev", path, old_text: "c", new_text: "d" })).toMatch(
      /not in .* file_read/,
    );
    expect(await mcp.refused("file_edit", { box: "dev", path, old_text: "= 1", new_text: "= 2" })).toMatch(
      /2 times.*replace_all/,
    );
    await mcp.done("file_edit", { box: "dev", path, old_text: "b = 1", new_text: "b = $&" });
    expect(
      await mcp.done("file_edit", { box: "dev", path, old_text: " = ", new_text: "=", replace_all: true }),
    ).toMatchObject({ replaced: 2 });
    expect(await mcp.done("file_read", { box: "dev", path })).toEqual({
      ...{ path, size_bytes: 9, content: "a=1\nb=$&\n", first_line: 1, next_line: null },
    });
    expect(await mcp.done("file_list", { box: "dev", path: "/root/project" })).toMatchObject({
      entries: [{ name: "main.py", type: "file", size_bytes: 9 }],
      total: 1,
    });
    expect(await mcp.refused("file_read", { box: "dev", path: "/root/none" })).toMatch(
      /FILE_NOT_FOUND: .*\n.*file_list/s,
    );
    expect(await mcp.refused("file_read", { box: "dev", path: "relative" })).toMatch(/VALIDATION_ERROR: .*absolute/);
  });

  it("read a long file in parts, show a picture, and refuse what is no text", async () => {
    const lines = Array.from({ length: 50 }, (_, index) => `line ${index + 1}\n`);
    await mcp.done("file_write", { box: "dev", path: "/root/long", content: lines.join("") });
    expect(await mcp.done("file_read", { box: "dev", path: "/root/long", line: 10, lines: 2 })).toMatchObject({
      ...{ content: "line 10\nline 11\n", first_line: 10, next_line: 12 },
    });
    expect(await mcp.done("file_read", { box: "dev", path: "/root/long", line: 49 })).toMatchObject({
      next_line: null,
    });
    expect(await mcp.refused("file_read", { box: "dev", path: "/root/long", line: 51 })).toMatch(/no line 51/);
    const bytes = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff]).toString("base64");
    for (const path of ["/root/a.png", "/root/a.bin"])
      await mcp.done("file_write", { box: "dev", path, content: bytes, encoding: "base64" });
    const picture = await mcp.call("file_read", { box: "dev", path: "/root/a.png" });
    expect(picture.content.at(-1)).toEqual({ type: "image", data: bytes, mimeType: "image/png" });
    expect(await mcp.refused("file_read", { box: "dev", path: "/root/a.bin" })).toMatch(/not text.*xxd/);
    expect(await mcp.refused("file_write", { box: "dev", path: "/x", content: "!", encoding: "base64" })).toMatch(
      /not base64/,
    );
  });

  it("teach about arguments that are wrong, and tools that are not there", async () => {
    expect(await mcp.refused("exec", { box: "dev", cmd: "ls" })).toMatch(/arguments of exec.*"cmd".*command/s);
    await expect(mcp.call("box_destroy")).rejects.toThrow(/no tool box_destroy; there are run, box_create/);
  });

  it("tell how far a call is, to those who ask", async () => {
    const heard: string[] = [];
    const onprogress = ({ message = "" }) => void heard.push(message);
    await mcp.done("box_create", { name: "watched" }, { onprogress });
    expect(heard).toEqual(["Creating a box of base"]);
    await mcp.done("box_remove", { box: "watched", force: true });
  });

  it("end the command of a call that is taken back", async () => {
    const controller = new AbortController();
    const call = mcp.call("exec", { box: "dev", command: "sleep 600" }, { signal: controller.signal });
    const running = await untilRunning("sleep 600");
    controller.abort("changed my mind");
    await expect(call).rejects.toThrow("changed my mind");
    expect((await ended(running)).status).toBe("canceled");
  });

  it("leave no box behind when a creation is taken back", async () => {
    const { controls } = mcp.server.engine;
    const hold = controls.hold("create");
    const controller = new AbortController();
    const call = mcp.call("box_create", { name: "unwanted" }, { signal: controller.signal });
    await hold.reached;
    const gone = untilRemoved();
    controller.abort("changed my mind");
    await expect(call).rejects.toThrow("changed my mind");
    await mcp.heard();
    hold.release();
    await gone;
    expect(JSON.stringify(await mcp.done("box_list"))).not.toContain("unwanted");
  });

  it("leave no box behind that could not be made, so that its name is free again", async () => {
    mcp.server.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "no more loop devices"));
    expect(await mcp.refused("box_create", { name: "again" })).toMatch(
      /RUNTIME_ERROR: .*no more loop devices.*\n.*doctor/s,
    );
    await mcp.done("box_create", { name: "again" });
    expect(await mcp.refused("box_create", { name: "again" })).toMatch(/NAME_ALREADY_EXISTS/);
    await mcp.done("box_remove", { box: "again", force: true });
  });

  async function untilRemoved(): Promise<void> {
    for await (const { event } of mcp.server.core.events({ signal: new AbortController().signal }))
      if (event === "box_removed") return;
  }

  /** The exec that runs this script, once it does. */
  async function untilRunning(script: string): Promise<string> {
    for await (const { event, data } of mcp.server.core.events({ signal: new AbortController().signal })) {
      if (event === "exec" && data.status === "running" && data.cmd.includes(script)) return data.id;
    }
    throw new Error("it never ran");
  }

  async function ended(id: string) {
    const { signal } = new AbortController();
    for await (const events of mcp.server.core.execs.events(id, { after: 0, signal })) {
      if (events.at(-1)?.kind === "exit") break;
    }
    return mcp.server.core.execs.get("dev", id);
  }
});
