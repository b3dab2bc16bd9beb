import { once } from "node:events";
import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { portMapping } from "../src/port-mapping.ts";
import { CliWithServer } from "./support/server.ts";

let cli: CliWithServer;

beforeAll(async () => {
  cli = await CliWithServer.start({ tcp: null });
  await cli.createBox("dev");
  for (const [port, program] of Object.entries({ 80: ["cat"], 81: ["echo", "good-bye"] })) {
    await cli.server.core.execs.start("dev", {
      cmd: ["nc", "-ll", "-p", port, "-e", ...program],
      tty: false,
      stdin: false,
    });
  }
});
afterAll(() => cli[Symbol.asyncDispose]());

describe("forward", () => {
  it("passes connections on until Ctrl-C, each direction to its end", async () => {
    const command = cli.spawn("forward", "dev", "0:80", "[::1]:0:81", "--json");
    await command.printed("\n");
    const [echo, bye] = JSON.parse(command.stdout);
    expect([echo.host, echo.box_port, bye.host, bye.box_port]).toEqual(["127.0.0.1", 80, "::1", 81]);
    const socket = connect({ host: "127.0.0.1", port: echo.port, allowHalfOpen: true });
    socket.end("there and back");
    expect(await text(socket)).toBe("there and back");
    expect(await text(connect({ host: "::1", port: bye.port }))).toBe("good-bye\n");
    const open = connect({ host: "127.0.0.1", port: echo.port });
    open.on("error", () => undefined);
    await once(open, "connect");
    command.child.kill("SIGINT");
    expect((await command.result()).code).toBe(130);
    await text(open).catch(() => "");
  });

  it("tells of a connection that comes to nothing, and goes on", async () => {
    const command = cli.spawn("forward", "dev", "0:82", "0:80", "--json");
    await command.printed("\n");
    const [nobody, echo] = JSON.parse(command.stdout);
    await text(connect({ host: "127.0.0.1", port: nobody.port })).catch(() => "");
    const socket = connect({ host: "127.0.0.1", port: echo.port, allowHalfOpen: true });
    socket.end("still");
    expect(await text(socket)).toBe("still");
    command.child.kill("SIGTERM");
    const { stderr } = await command.result();
    expect(stderr).toContain("PORT_REFUSED");
  });

  it("refuses a port that is taken, a box that is not there, and what is no port", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void taken.close());
    await once(taken, "listening");
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const refused = await cli.run("forward", "dev", `${port}:80`);
    expect(refused.code).toBe(125);
    expect(refused.stderr).toContain("another program listens there");
    expect(refused.stderr).toContain("0:80");
    expect((await cli.run("forward", "nobody", "0:80")).stderr).toContain("nobody");
    expect((await cli.run("forward", "dev", "80:http")).code).toBe(2);
  });

  it.each([
    ["8080", { hostIp: undefined, hostPort: undefined, boxPort: 8080 }],
    ["8080:80", { hostIp: undefined, hostPort: 8080, boxPort: 80 }],
    ["0:80", { hostIp: undefined, hostPort: 0, boxPort: 80 }],
    ["127.0.0.1:5432:5432", { hostIp: "127.0.0.1", hostPort: 5432, boxPort: 5432 }],
    ["[::1]:8080:80", { hostIp: "::1", hostPort: 8080, boxPort: 80 }],
  ])("reads %s", (typed, mapping) => {
    expect(portMapping(typed)).toEqual(mapping);
  });
  it.each([
    "",
    "0",
    "8080:0",
    "65536",
    "1:65536",
    "80:80:80",
    "1.2.3:80:80",
    "300.0.0.1:80:80",
    "a:80",
    "80/tcp",
    ":80",
  ])("refuses %s", (typed) => {
    expect(() => portMapping(typed)).toThrow("It must be PORT:BOX_PORT");
  });
});

describe("ports", () => {
  it("lists what listens", async () => {
    const { stdout } = await cli.run("ports", "dev");
    expect(stdout).toMatch(/^PORT +ADDRESS +PROCESS +PID +PUBLISHED +REACHABLE\n80 +127\.0\.0\.1 +nc +2 +yes\n81 /);
    expect((await cli.run("ports", "dev", "-q")).stdout).toBe("80\n81\n");
    expect((await cli.run("ports", "dev", "--format", "{{.port}} {{.process}}")).stdout).toBe("80 nc\n81 nc\n");
  });
});

describe("-p", () => {
  it("publishes a port, and says where if that was left to the server", async () => {
    const made = await cli.run("create", "base", "-n", "web", "--cpu", "1", "-m", "64", "-p", "0:80");
    expect(made.code).toBe(0);
    const [, where] = /^Port 80 is reached at (127\.0\.0\.1:\d+)$/m.exec(made.stderr) ?? [];
    expect((await cli.run("ports", "web", "--format", "{{.port}} {{.address}} {{.published}}")).stdout).toContain(
      "80 ",
    );
    expect((await cli.run("ports", "web")).stdout).toMatch(new RegExp(`^80 +nothing listens +.*${where}`, "m"));
    const taken = await cli.run("create", "base", "-n", "late", "-p", `${where?.split(":")[1]}:80`);
    expect(taken.code).toBe(125);
    expect(taken.stderr).toContain("box web has it");
    expect((await cli.run("ls", "-q")).stdout.trim().split("\n")).toHaveLength(2);
  });
});
