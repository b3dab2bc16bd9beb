import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { boxrun, type CliOptions } from "./support/cli.ts";
import { CliWithServer } from "./support/server.ts";

const token = "s3cret-token-of-a-server";
const everybodyElse = { BOXRUN_STATE_DIR: undefined, BOXRUN_SOCKET: undefined, BOXRUN_TOKEN: undefined };

let home: string;
let file: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "br-ctx-"));
  file = join(home, "config", "boxrun", "contexts.json");
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** Nothing in the environment names a server; what the own one would be is where none can be. */
function run(args: readonly string[], options: CliOptions = {}) {
  const env = { ...everybodyElse, HOME: home, XDG_CONFIG_HOME: join(home, "config"), ...options.env };
  return boxrun(args, { ...options, env });
}

async function add(name: string, host: string, ...more: string[]) {
  const { stderr, code } = await run(["context", "add", name, "--host", host, ...more], { input: `${token}\n` });
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
}

describe("context", () => {
  it("keeps addresses and tokens for this user's eyes alone, and prints no token", async () => {
    await add("lab", "https://boxes.example.org", "--token-stdin");
    await writeFile(join(home, "token"), `${token}\n`);
    await add("other", "http://127.0.0.1:1", "--token-file", join(home, "token"));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, "utf8")).toContain(token);
    for (const args of [["ls"], ["ls", "--json"], ["show", "lab"], ["show", "lab", "--json"], []]) {
      const { code, stdout, stderr } = await run(["context", ...args]);
      expect(code).toBe(0);
      expect(stdout).toContain("https://boxes.example.org");
      expect(stdout + stderr).not.toContain(token);
    }
  });

  it("marks the one in use, and says what goes before it", async () => {
    await add("lab", "https://boxes.example.org", "--use");
    expect((await run(["context", "ls"])).stdout).toMatch(/^\* {2}lab /m);
    const overridden = await run(["context", "ls"], { env: { BOXRUN_HOST: "http://127.0.0.1:1" } });
    expect(overridden.stdout).toMatch(/^\* {2}lab /m);
    expect(overridden.stderr).toBe("BOXRUN_HOST is set: commands talk to http://127.0.0.1:1.\n");
    await run(["context", "use", "local"]);
    expect((await run(["context", "ls"])).stdout).toMatch(/^\* {2}local /m);
  });

  it("goes back to the own server when the one in use is removed", async () => {
    await add("lab", "https://boxes.example.org", "--use");
    const removed = await run(["context", "rm", "lab"]);
    expect(removed).toMatchObject({ code: 0, stdout: "lab\n", stderr: expect.stringContaining("local") });
    expect(JSON.parse((await run(["context", "ls", "--json"])).stdout)).toMatchObject([
      { name: "local", current: true },
    ]);
  });

  it.each([
    [["add", "lab"], "--host is missing"],
    [["add", "lab", "--host", "boxes.example.org"], "no server's address"],
    [["add", "lab", "--host", "http://me:pw@h"], "has a user or password in it"],
    [["add", "local", "--host", "http://h"], "your own server"],
    [["add", "../x", "--host", "http://h"], "can't be a context's name"],
    [["use", "nope"], 'no context "nope"'],
    [["rm", "nope"], 'no context "nope"'],
    [["show", "nope"], 'no context "nope"'],
  ])("%j is a wrong use", async (args, message) => {
    const { code, stderr } = await run(["context", ...args]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
  });

  it("replaces one of that name only with --force", async () => {
    await add("lab", "https://a.example");
    expect((await run(["context", "add", "lab", "--host", "https://b.example"])).stderr).toMatch(
      /already\nHint: --force/,
    );
    await add("lab", "https://b.example", "--force");
    expect((await run(["context", "show", "lab"])).stdout).toContain("https://b.example");
  });

  it("refuses what can't be a token", async () => {
    const { code, stderr } = await run(["context", "add", "a", "--host", "https://h", "--token-stdin"], {
      input: "a b\n",
    });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("holds no token") });
  });

  it.each([["{"], ['{"contexts": {"a": {"host": 1}}}'], ['{"contexts": {}, "token": "x"}']])(
    "names the file that is broken: %s",
    async (content) => {
      await mkdir(join(home, "config", "boxrun"), { recursive: true });
      await writeFile(file, content);
      for (const args of [["ls"], ["context", "ls"], ["context", "add", "a", "--host", "http://h"]]) {
        const { code, stderr } = await run(args);
        expect(code).toBe(125);
        expect(stderr).toMatch(/^Error: Cannot read the contexts in /);
        expect(stderr).toContain(file);
      }
      expect(await readFile(file, "utf8")).toBe(content);
    },
  );
});

describe("a command talks to", () => {
  it("what is typed, else what the environment names, else the context in use", async () => {
    await using typed = await CliWithServer.start();
    await using named = await CliWithServer.start();
    await using used = await CliWithServer.start();
    await using own = await CliWithServer.start();
    const servers = { typed, named, used, own };
    for (const [name, server] of Object.entries(servers)) await server.createBox(name);
    for (const [name, { server }] of Object.entries(servers)) {
      await add(name === "own" ? "own-too" : name, `unix://${server.stateDir}/boxrun.sock`);
    }
    await run(["context", "use", "used"]);
    const host = `unix://${named.server.stateDir}/boxrun.sock`;
    const askedWith = async (args: string[], env: Record<string, string> = {}) => {
      const { stdout, stderr } = await run([...args, "ls", "--json"], { env });
      const [box] = JSON.parse(stdout || "[{}]");
      return stderr || box.name;
    };
    expect(await askedWith([])).toBe("used");
    expect(await askedWith([], { BOXRUN_CONTEXT: "named" })).toBe("named");
    expect(await askedWith([], { BOXRUN_HOST: host, BOXRUN_CONTEXT: "typed" })).toBe("named");
    expect(await askedWith(["--context", "typed"], { BOXRUN_HOST: host, BOXRUN_CONTEXT: "named" })).toBe("typed");
    expect(await askedWith(["--host", host, "--context", "typed"])).toBe("named");
    expect(await askedWith([], { BOXRUN_STATE_DIR: own.server.stateDir })).toBe("own");
    expect(await askedWith(["--context", "local"], { BOXRUN_STATE_DIR: own.server.stateDir })).toBe("own");
    const verbOption = await run(["ls", "--json", "--context", "typed"]);
    expect(JSON.parse(verbOption.stdout)).toMatchObject([{ name: "typed" }]);
  });
});

describe("a server elsewhere", () => {
  /** Ends TLS before a server, as a proxy would. */
  async function withTls(port: number) {
    await promisify(execFile)("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
      ...["-keyout", join(home, "key.pem"), "-out", join(home, "cert.pem")],
    ]);
    const [key, cert] = await Promise.all(["key.pem", "cert.pem"].map((name) => readFile(join(home, name))));
    const proxy = createServer({ key, cert }, (incoming, outgoing) => {
      const headers = { ...incoming.headers, host: `127.0.0.1:${port}` };
      const { method = "GET", url = "/" } = incoming;
      const passed = request({ host: "127.0.0.1", port, method, path: url, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(passed);
    });
    await once(proxy.listen(0, "127.0.0.1"), "listening");
    return {
      url: `https://127.0.0.1:${addressOf(proxy.address()).port}`,
      [Symbol.asyncDispose]: async () => {
        proxy.closeAllConnections();
        proxy.close();
      },
    };
  }

  function addressOf(address: AddressInfo | string | null): AddressInfo {
    if (address === null || typeof address === "string") throw new Error("it does not listen on TCP");
    return address;
  }

  it("is called over TLS with its token once its certificate is trusted, and says what to do before", async () => {
    await using cli = await CliWithServer.start({ token, tcp: { host: "0.0.0.0", port: 0 } });
    await cli.createBox("far");
    await using proxy = await withTls(cli.server.http.tcp?.port ?? 0);
    await add("far", proxy.url, "--token-stdin", "--use");
    const distrusted = await run(["ls"]);
    expect(distrusted.code).toBe(125);
    expect(distrusted.stderr).toMatch(
      /^Error: ls: Cannot reach the BoxRun server at https:.*self-signed certificate.*\nHint: .*NODE_EXTRA_CA_CERTS=/,
    );
    const trusted = await run(["ls", "--json"], { env: { NODE_EXTRA_CA_CERTS: join(home, "cert.pem") } });
    expect(trusted).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(trusted.stdout)).toMatchObject([{ name: "far" }]);
  });

  it("that refuses the token says so, and what to do", async () => {
    // Over loopback alone the server's own user would need none.
    await using cli = await CliWithServer.start({ token, tcp: { host: "0.0.0.0", port: 0 } });
    const host = `http://127.0.0.1:${cli.server.http.tcp?.port}`;
    const refused = await run(["ls"], { env: { BOXRUN_HOST: host, BOXRUN_TOKEN: "wrong" } });
    expect(refused.code).toBe(125);
    expect(refused.stderr).toMatch(
      /^Error: ls: .*\nHint: Give that server's token: in BOXRUN_TOKEN, or kept with `boxrun context add/,
    );
  });

  it.each([
    ["https://127.0.0.1:PORT", /that port does not speak TLS/i],
    ["http://no-such-host.invalid:9090", /host's name/],
    ["http://127.0.0.1:1", /boxrun doctor/],
  ])("at %s can't be reached, with what to do about it", async (host, hint) => {
    await using cli = await CliWithServer.start();
    const address = host.replace("PORT", String(cli.server.http.tcp?.port));
    const { code, stderr } = await run(["--host", address, "ls"]);
    expect(code).toBe(125);
    expect(stderr).toMatch(/^Error: ls: Cannot reach the BoxRun server at http.*\nHint: .*\n$/);
    expect(stderr).not.toContain("routines");
    expect(stderr).toMatch(hint);
  });
});
