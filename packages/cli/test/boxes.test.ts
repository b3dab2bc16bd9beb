import { BoxRunError, execRequestSchema, usageSchema } from "@boxrun/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { CliWithServer } from "./support/server.ts";

let cli: CliWithServer;
beforeAll(async () => {
  cli = await CliWithServer.start();
});
afterAll(() => cli[Symbol.asyncDispose]());

const json = (text: string): unknown => JSON.parse(text);

describe("create", () => {
  it("prints the id of a box that has what was asked for", async () => {
    const args = ["-n", "made", "--cpu", "3", "-m", "128", "-d", "2", "-e", "A=b=c", "-e", "HOME", "-w", "/tmp"];
    const made = await cli.runWith({ env: { HOME: "/here" } }, "create", "base", ...args);
    expect(made).toMatchObject({ code: 0, stderr: "" });
    const box = cli.server.core.boxes.get("made");
    expect(made.stdout).toBe(`${box.id}\n`);
    expect(box).toMatchObject({ cpu: 3, memory_mb: 128, disk_size_gb: 2, workdir: "/tmp", network: false });
    expect(box.env).toEqual({ A: "b=c", HOME: "/here" });
    await cli.run("rm", "-f", "made");
  });

  it("leaves what was not given to the server's defaults", async () => {
    const made = await cli.run("create", "--json", "base");
    const box = json(made.stdout);
    expect(box).toMatchObject({ cpu: 2, memory_mb: 1024, disk_size_gb: 8, network: false, volumes: null, name: null });
    await cli.run("gc");
    for (const { id } of cli.server.core.boxes.list()) await cli.run("rm", "-f", id);
  });

  it("says why not, and what to do, and exits with 125", async () => {
    const refused = await cli.run("create", "base", "--cpu", "200");
    expect(refused.code).toBe(125);
    expect(refused.stdout).toBe("");
    expect(refused.stderr).toMatch(/^Error: create: .*200.*\nHint: .*BOXRUN_MAX_CPU/);
  });

  it("tells the failure as JSON on stderr with --json", async () => {
    const refused = await cli.run("--json", "create", "no-such-image");
    expect(refused).toMatchObject({ code: 125, stdout: "" });
    expect(json(refused.stderr)).toMatchObject({ code: "IMAGE_PULL_FAILED", operation: "create" });
    for (const { id } of cli.server.core.boxes.list()) await cli.run("rm", id);
  });
});

describe("ls and inspect", () => {
  it("show the boxes in columns, newest first", async () => {
    await cli.createBox("first");
    await cli.createBox("second-with-a-longer-name");
    await cli.run("stop", "first");
    const { stdout } = await cli.run("ls");
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^ID +NAME +STATUS +IMAGE +CPU +MEMORY +DISK +CREATED$/);
    expect(lines[1]).toMatch(/^box_\S{12} {2}second-with-a-longer-name {2}running {2}base +1 +64 MB +1 GB +\d+s ago$/);
    expect(lines[2]).toMatch(/^box_\S{12} {2}first {22}stopped {2}base/);
    expect((await cli.run("ls", "-s", "stopped", "--json")).stdout).toContain('"name":"first"');
    expect(json((await cli.run("ls", "-s", "error", "--json")).stdout)).toEqual([]);
  });

  it("never passes a box's own escape sequences to the terminal", async () => {
    cli.server.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "\u001b[31mred\u0007"));
    await cli.run("create", "base", "-n", "hostile");
    const { stdout } = await cli.run("inspect", "hostile");
    expect(stdout).toMatch(/^error +RUNTIME_ERROR: red\\x07$/m);
    await cli.run("rm", "hostile");
  });

  it("never lets what a box says pass for a line of ours, nor turn one around", async () => {
    const message = "it broke\nHint: type this\u202egnp.exe\u2028Error: x\u009b31m";
    cli.server.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", message));
    const failed = await cli.run("create", "base", "-n", "hostile");
    const shown = "Hint: type this\\u{202e}gnp.exe\\u{2028}Error: x";
    expect(failed.stderr).toContain(`it broke\n  ${shown}`);
    const format = "{{.name}} {{.error_message}}";
    expect((await cli.run("ls", "-s", "error", "--format", format)).stdout).toBe(`hostile it broke ${shown}\n`);
    for (const args of [["--json"], ["--format", "yaml"], ["--format", "{{.error_message | json}}"]]) {
      const { stdout } = await cli.run("ls", "-s", "error", ...args);
      expect(stdout).toContain("type this\\u202egnp.exe\\u2028Error: x");
      expect(stdout).not.toMatch(/[\u202e\u2028\u009b]/);
    }
    expect(json((await cli.run("ls", "-s", "error", "--json")).stdout)).toMatchObject([{ error_message: message }]);
    expect(parse((await cli.run("ls", "-s", "error", "--format", "yaml")).stdout)).toMatchObject([
      { error_message: message },
    ]);
    await cli.run("rm", "hostile");
  });

  it("show nothing of --secret-env, which is the server's doing, unless asked to", async () => {
    const options = { env: { HANDSHAKE: "hunter2" } };
    const words = ["-e", "MODE=fast", "--secret-env", "HANDSHAKE", "--secret-env", "GRIP=hunter2=2"];
    const created = await cli.runWith(options, "create", "base", "-n", "quiet", "-m", "64", ...words, "--json");
    const shown = { MODE: "fast", HANDSHAKE: "***", GRIP: "***" };
    expect(json(created.stdout)).toMatchObject({ env: shown, secret_env: ["HANDSHAKE", "GRIP"] });
    expect(cli.server.core.boxes.get("quiet").env).toEqual(shown);
    // The program has them.
    expect((await cli.run("exec", "quiet", "--", "env")).stdout).toMatch(/^HANDSHAKE=hunter2$[\s\S]*^GRIP=hunter2=2$/m);
    const exec = await cli.runWith(options, "exec", "-d", "--json", "--secret-env", "HANDSHAKE", "quiet", "env");
    expect(json(exec.stdout)).toMatchObject({ env: { HANDSHAKE: "***" }, secret_env: ["HANDSHAKE"] });
    for (const line of [
      ["ls", "--json"],
      ["inspect", "--json", "quiet"],
      ["ps", "-a", "--json", "quiet"],
    ]) {
      expect((await cli.run(...line)).stdout).not.toContain("hunter2");
    }
    expect((await cli.run("inspect", "--show-secrets", "quiet")).stdout).toContain("HANDSHAKE=hunter2");
    expect((await cli.run("ls", "--json", "--show-secrets")).stdout).toContain('"GRIP":"hunter2=2"');
    expect(cli.server.rawLog()).not.toContain("hunter2");
    // A later server masks them as well.
    expect(cli.server.core.boxes.page({}).items.find(({ name }) => name === "quiet")?.env).toEqual(shown);
    await cli.run("rm", "-f", "quiet");
  });

  it("show no secrets of the environment in any format, unless asked to", async () => {
    const env = ["-e", "API_TOKEN=hunter2", "-e", "DB=postgres://me:hunter2@db/x", "-e", "MODE=fast"];
    const shown = { API_TOKEN: "***", DB: "postgres://me:***@db/x", MODE: "fast" };
    const created = await cli.run("create", "base", "-n", "secretive", "-m", "64", ...env, "--json");
    expect(json(created.stdout)).toMatchObject({ env: shown });
    const exec = await cli.run("exec", "-d", "--json", ...env, "secretive", "true");
    const { id, env: shownExec } = JSON.parse(exec.stdout);
    expect(shownExec).toEqual(shown);
    const outputs = await Promise.all(
      [
        ["ls", "--json"],
        ["ls", "--format", "yaml"],
        ["ls", "--format", "{{json .env}}"],
        ["ps", "-a", "--json", "secretive"],
        ["ps", "-a", "--json"],
        ["inspect", "secretive"],
        ["inspect", "--json", "secretive"],
        ["wait", "--json", "secretive", id],
      ].map((words) => cli.run(...words)),
    );
    for (const verb of ["start", "stop", "stop", "start", "stop"])
      outputs.push(await cli.run(verb, "--json", "secretive"));
    outputs.push(await cli.run("gc", "--dry-run", "--json", "--older-than", "0"));
    for (const { code, stdout, stderr } of outputs) {
      expect(code).toBe(0);
      expect(stdout + stderr).not.toContain("hunter2");
    }
    expect(outputs[0]?.stdout).toContain("postgres://me:***@db/x");
    for (const words of [
      ["ls", "--json"],
      ["ps", "-a", "--json"],
      ["inspect", "secretive"],
    ])
      expect((await cli.run(...words, "--show-secrets")).stdout).toContain("hunter2");
    await cli.run("rm", "-f", "secretive");
  });

  it("shows a box with its execs", async () => {
    await cli.run("exec", "second-with-a-longer-name", "--", "sh", "-c", "exit 4");
    const { stdout } = await cli.run("inspect", "second-with-a-longer-name");
    expect(stdout).toMatch(/^status +running$/m);
    expect(stdout).toMatch(/^exec_\S{12} {2}failed +4 +\d+s ago +\d+s +sh -c 'exit 4'$/m);
    const [found] = JSON.parse((await cli.run("inspect", "--json", "first")).stdout);
    expect(found).toMatchObject({ box: { name: "first" }, execs: [] });
  });
});

describe("start, stop and rm", () => {
  it("take several boxes, go on behind a failure, and tell each", async () => {
    await cli.createBox("a");
    await cli.createBox("b");
    const stopped = await cli.run("stop", "a", "nope", "b");
    expect(stopped).toMatchObject({ code: 125, stdout: "a\nb\n" });
    expect(stopped.stderr).toMatch(/^Error: stop nope: There is no box "nope"\nHint: .*\n$/);

    const started = await cli.run("start", "--json", "b", "nope", "a");
    expect(started.code).toBe(125);
    expect(json(started.stdout)).toMatchObject([
      { name: "b", status: "running" },
      { name: "a", status: "running" },
    ]);
    expect(json(started.stderr)).toMatchObject({ code: "BOX_NOT_FOUND", operation: "start nope" });

    const refused = await cli.run("rm", "a", "b");
    expect(refused).toMatchObject({ code: 125, stdout: "" });
    expect(refused.stderr).toContain("rm a: ");
    expect(refused.stderr).toContain("rm b: ");
    expect(await cli.run("rm", "-f", "a", "b")).toEqual(expect.objectContaining({ code: 0, stdout: "a\nb\n" }));
  });
});

describe("what is done already", () => {
  it("is no failure: a stopped box is stopped, a running one started, a missing one removed by force", async () => {
    await cli.createBox("done");
    expect(await cli.run("start", "done")).toMatchObject({
      code: 0,
      stdout: "done\n",
      stderr: "done is running already\n",
    });
    await cli.run("stop", "done");
    expect(await cli.run("stop", "done")).toMatchObject({
      code: 0,
      stdout: "done\n",
      stderr: "done is stopped already\n",
    });
    const again = await cli.run("stop", "--json", "done");
    expect(json(again.stdout)).toMatchObject([{ name: "done", status: "stopped" }]);
    expect(await cli.run("rm", "-rf", "done", "nope")).toMatchObject({
      code: 0,
      stdout: "done\n",
      stderr: "There was no box nope\n",
    });
    expect(await cli.run("rm", "nope")).toMatchObject({ code: 125 });
  });

  it("is also what a list names that came out empty", async () => {
    await cli.createBox("idle");
    for (const args of [["rm", "-f"], ["stop"], ["start"], ["kill", "idle"]]) {
      expect(await cli.run(...args)).toMatchObject({
        code: 0,
        stdout: "",
        stderr: expect.stringMatching(/^Nothing to /),
      });
    }
    expect(await cli.run("kill", "nope")).toMatchObject({ code: 125 });
    await cli.run("rm", "-f", "idle");
  });
});

describe("a box that could not be made", () => {
  it("is mentioned, with its name", async () => {
    cli.server.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "no luck"));
    const named = await cli.run("create", "base", "-n", "broken");
    expect(named.code).toBe(125);
    expect(named.stderr).toMatch(
      /^Box broken is left in the state error: .*`boxrun rm broken` removes it\nError: .*no luck/,
    );
    cli.server.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "no luck"));
    const [unnamed] = [await cli.run("create", "base"), await cli.run("rm", "broken")];
    const id = /^Box (box_\S{12}) is left/.exec(unnamed.stderr)?.[1] ?? "";
    expect(await cli.run("rm", id)).toMatchObject({ code: 0 });
  });
});

describe("the rest", () => {
  it("stop says who had to be killed, and that a box was ended by force", async () => {
    const [stubborn, silent] = [await cli.createBox("stubborn"), await cli.createBox("silent")];
    await cli.server.core.execs.start(stubborn, execRequestSchema.parse({ cmd: ["cat"], stdin: true }));
    cli.server.host.ignoreEnds(stubborn);
    cli.server.host.silence(silent);
    expect(await cli.run("stop", "--timeout", "3", "stubborn", "silent")).toMatchObject({
      code: 0,
      stdout: "stubborn\nsilent\n",
      stderr:
        "stubborn: killed what did not end by itself: cat (2)\nsilent: its agent did not answer, so that its VM was ended by force\n",
    });
    expect(cli.server.engine.controls.graceMs).toBe(3000);
    await cli.run("rm", "stubborn", "silent");
  });

  it("gc removes what was stopped for long enough", async () => {
    await cli.createBox("old");
    await cli.run("stop", "old");
    expect((await cli.run("gc")).stdout).toBe("Removed 0 boxes\n");
    const listed = await cli.run("gc", "--older-than", "0s", "--dry-run");
    expect(listed.stdout).toMatch(/^box_\S+ +old +stopped/m);
    const { id } = cli.server.core.boxes.get("old");
    const { stdout } = await cli.run("gc", "--older-than", "0", "--json");
    expect(json(stdout)).toEqual({ removed: expect.any(Number), boxes: expect.arrayContaining([id]) });
    expect(() => cli.server.core.boxes.get("old")).toThrow("old");
  });

  it("df says what takes how much, and gc gives up the output of programs that have ended", async () => {
    await cli.createBox("talker");
    await cli.run("exec", "talker", "seq", "20000");
    const usage = usageSchema.parse(json((await cli.run("df", "--json")).stdout));
    expect(usage.output_bytes).toBeGreaterThan(100_000);
    expect(usage.database_bytes).toBeGreaterThan(100_000);
    expect(usage.boxes).toContainEqual(expect.objectContaining({ name: "talker", disk_bytes: expect.any(Number) }));
    expect((await cli.run("df")).stdout).toMatch(/^database +[\d.]+ [kM]B, with [\d.]+ kB of output$/m);
    const { stdout } = await cli.run("gc", "--output-older-than", "0");
    expect(stdout).toMatch(/^Removed 0 boxes, gave up [\d.]+ kB of output\n$/);
    expect(json((await cli.run("df", "--json")).stdout)).toMatchObject({ output_bytes: 0 });
    expect(await cli.run("gc", "--output-older-than", "0", "--json")).toMatchObject({
      stdout: expect.stringContaining('"output_bytes":0'),
    });
    await cli.run("rm", "-f", "talker");
  });

  it("info shows engine and limits", async () => {
    expect((await cli.run("info")).stdout).toMatch(/^engine +memory, none$/m);
    expect(json((await cli.run("info", "--json")).stdout)).toMatchObject({ engine: { name: "memory" }, max_cpu: 16 });
  });

  it("images lists, imports and removes", async () => {
    expect((await cli.run("images")).stdout).toMatch(/^base +sha256:a{12} +1\.2 kB +built in$/m);
    const imported = await cli.runWith({ input: "tar:my/image:1" }, "images", "import", "-");
    expect(imported).toMatchObject({ code: 0, stdout: expect.stringContaining("my/image:1") });
    const shown = (await cli.run("images", "show", "base")).stdout;
    expect(shown).toMatch(/^platform +linux\/amd64$/m);
    expect(shown).toMatch(/^cmd +\["its own"\]$/m);
    expect(shown).toMatch(/^2 programs:\n {2}ls sh\n$/m);
    const details = json((await cli.run("images", "show", "--json", "my/image:1")).stdout);
    expect(details).toMatchObject([{ reference: "my/image:1", builtin: false, config: { entrypoint: ["echo"] } }]);
    expect(await cli.run("images", "show", "nosuch:1")).toMatchObject({
      code: 125,
      stderr: expect.stringContaining("nosuch:1 is not on this server"),
    });
    expect(await cli.run("images", "rm", "my/image:1", "base")).toMatchObject({
      code: 125,
      stdout: "my/image:1\n",
      stderr: expect.stringContaining("images rm base"),
    });
    expect((await cli.run("images", "import", "/nonexistent.tar")).stderr).toContain("ENOENT");
  });

  it("a pull that fails says the registry's reason", async () => {
    const refused = await cli.run("images", "pull", "nobody/nothing:1");
    expect(refused).toMatchObject({ code: 125, stderr: expect.stringContaining("manifest unknown") });
  });
});
