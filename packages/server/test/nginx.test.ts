import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { ask, createBox, read, readUntil, startExec } from "./support/http.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

const program = ["/usr/sbin/nginx", "/usr/bin/nginx"].find(existsSync);
const token = "s3cret-t0ken-of-the-tests";
const publicName = "boxes.example.org";
const page = { host: publicName, origin: `http://${publicName}` };

/** The configuration that docs/reverse-proxy.md gives, for a port of loopback and without TLS. */
function documented(port: number, location: string, upstream: string): string {
  const docs = readFileSync(new URL("../../../docs/reverse-proxy.md", import.meta.url), "utf8");
  const config = docs.match(/```text\n(map [\s\S]*?)```/)?.[1] ?? "";
  return config
    .replace("listen 443 ssl;", `listen 127.0.0.1:${port};`)
    .replace(/^ *ssl_.*\n/gm, "")
    .replace("location / {", `location ${location} {`)
    .replace("http://127.0.0.1:9090", upstream);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Debian's nginx, between a browser and a server. */
class Nginx implements AsyncDisposable {
  readonly #dir: string;
  readonly #child: ChildProcess;
  readonly port: number;

  private constructor(dir: string, child: ChildProcess, port: number) {
    this.#dir = dir;
    this.#child = child;
    this.port = port;
  }

  static async start(config: string, port: number): Promise<Nginx> {
    const dir = await mkdtemp(join(tmpdir(), "boxrun-nginx-"));
    const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${dir}/${name};`,
    );
    const user = process.getuid?.() === 0 ? "user root;" : "";
    const main = `daemon off; ${user} worker_processes 1; pid ${dir}/pid; error_log stderr notice;`;
    await writeFile(
      join(dir, "nginx.conf"),
      `${main}\nevents {}\nhttp { access_log off; ${places.join(" ")}\n${config}}\n`,
    );
    const child = spawn(program ?? "nginx", ["-p", dir, "-e", "stderr", "-c", join(dir, "nginx.conf")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
    // It listens before it starts its workers.
    while (!said.includes("start worker process ")) {
      if (child.exitCode !== null) throw new Error(`nginx has ended: ${said}`);
      await Promise.race([once(child.stderr, "data"), once(child, "exit")]);
    }
    return new Nginx(dir, child, port);
  }

  async open(path: string, { method = "GET", headers = {}, body }: Sent = {}): Promise<IncomingMessage> {
    const sent = request({ host: "127.0.0.1", port: this.port, path, method, headers: { ...page, ...headers } });
    sent.end(body);
    const [answer]: IncomingMessage[] = await once(sent, "response");
    if (answer === undefined) throw new Error("no answer");
    return answer;
  }

  async ask(path: string, sent: Sent = {}) {
    return await read(await this.open(path, sent));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await ended;
    await rm(this.#dir, { recursive: true });
  }
}

describe.runIf(program !== undefined).each([
  { how: "at the root of its name", base: "", location: "/", suffix: "" },
  { how: "below a path that it takes off", base: "/boxrun", location: "/boxrun/", suffix: "/" },
  { how: "below a path that it leaves on", base: "/boxrun", location: "/boxrun/", suffix: "" },
])("behind nginx, $how (needs Debian's nginx-light)", ({ base, location, suffix }) => {
  let server: TestServer;
  let nginx: Nginx;
  let cookie: string;
  beforeAll(async () => {
    server = await startTestServer({ token, allowedHosts: [publicName], basePath: base });
    const port = await freePort();
    nginx = await Nginx.start(documented(port, location, `http://127.0.0.1:${server.http.tcp?.port}${suffix}`), port);
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const answer = await nginx.ask(`${base}/v1/sign-in`, { method: "POST", headers, body: "{}" });
    cookie = answer.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
    expect(answer.headers["set-cookie"]?.[0]).toContain(`Path=${base || "/"};`);
    await createBox(server, { name: "dev" });
  });
  afterAll(async () => {
    await nginx[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  it("the page is found, and nothing else without signing in", async () => {
    expect((await nginx.ask(`${base}/`)).headers.location).toBe(`${base}/ui/`);
    expect((await nginx.ask(`${base}/v1/boxes`)).status).toBe(401);
    expect((await nginx.ask(`${base}/v1/boxes`, { headers: { cookie } })).status).toBe(200);
    const evil = { cookie, origin: "https://evil.example" };
    expect((await nginx.ask(`${base}/v1/boxes`, { headers: evil })).status).toBe(403);
  });

  it("a terminal is a WebSocket", async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${nginx.port}${base}/v1/boxes/dev/attach`, {
      headers: { ...page, cookie },
    });
    await once(socket, "open");
    socket.close();
    await once(socket, "close");
  });

  it("output comes while the command runs", async () => {
    const exec = await startExec(server, "dev", ["cat"], { stdin: true });
    const path = `/v1/boxes/dev/exec/${exec.id}`;
    const events = await nginx.open(`${base}${path}/events`, { headers: { cookie } });
    await ask(server, `${path}/stdin`, { body: "first\n" });
    expect(await readUntil(events, (text) => text.includes("first"))).not.toContain("event: exit");
    events.destroy();
    await ask(server, `${path}/stdin?eof=true`, { body: "last\n" });
  });

  it("an upload is as large as it is", async () => {
    const boundary = "a-boundary";
    const part = (name: string, more = "") =>
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n`;
    const content = Buffer.alloc(8 * 1024 * 1024, "x");
    const body = Buffer.concat([
      Buffer.from(`${part("dest")}/root/large\r\n${part("file", '; filename="large"')}`),
      content,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    const headers = { cookie, "content-type": `multipart/form-data; boundary=${boundary}` };
    const answer = await nginx.ask(`${base}/v1/boxes/dev/files/upload`, { method: "POST", headers, body });
    expect([answer.status, answer.json]).toEqual([200, { ok: true, dest: "/root/large" }]);
    const [large] = await server.files("dev", "/root");
    expect(large).toMatchObject({ name: "large", size: content.length });
  });
});
