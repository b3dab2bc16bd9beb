import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { signedInSchema, signInLinkSchema } from "@boxrun/contract";
import { describe, expect, it } from "vitest";
import { SignIns } from "../src/auth/sign-ins.ts";
import { type Answer, type Ask, ask, createBox } from "./support/http.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "./support/server.ts";
import { refusal, TestClient } from "./support/terminal.ts";

const token = "s3cret-t0ken-of-the-tests";
/** All but the Unix socket asks for more than being this user, as behind a proxy. */
const publicName = "boxes.example.org";
const asPublic = { host: publicName };

const start = (options: TestServerOptions = {}) =>
  startTestServer({ token, allowedHosts: [publicName], programs: { sh: async () => 0 }, ...options });

const browse = (server: TestServer, path: string, cookie?: string, options: Ask = {}) =>
  ask(server, path, {
    via: "tcp",
    ...options,
    headers: { ...asPublic, ...(cookie === undefined ? {} : { cookie }), ...options.headers },
  });

async function makeLink(server: TestServer) {
  return signInLinkSchema.parse((await ask(server, "/v1/sign-in/links", { method: "POST" })).json);
}

const enter = (server: TestServer, body: object, headers: Record<string, string> = {}) =>
  browse(server, "/v1/sign-in", undefined, { body, headers });

/** What a browser sends from then on. */
function cookieOf(answer: Answer): string {
  return answer.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
}

async function signedIn(server: TestServer): Promise<string> {
  return cookieOf(await enter(server, { link_token: (await makeLink(server)).token }));
}

describe("a link", () => {
  it("signs a browser in, once", async () => {
    await using server = await start();
    const link = await makeLink(server);
    expect(link.path).toBe(`/ui/#sign-in=${link.token}`);
    expect(link.url).toBe(`http://127.0.0.1:${server.http.tcp?.port}${link.path}`);
    expect(link.token).toMatch(/^[\w-]{43}$/);
    expect((await browse(server, "/v1/boxes")).status).toBe(401);
    const first = await enter(server, { link_token: link.token });
    expect(first.status).toBe(201);
    expect(signedInSchema.parse(first.json).kind).toBe("browser");
    expect((await browse(server, "/v1/boxes", cookieOf(first))).status).toBe(200);
    const second = await enter(server, { link_token: link.token });
    expect([second.status, second.headers["set-cookie"]]).toEqual([401, undefined]);
    expect(second.json).toMatchObject({ code: "UNAUTHORIZED", message: expect.stringContaining("boxrun ui") });
  });

  it("is made by nobody who is not let in, and guessed by nobody", async () => {
    await using server = await start();
    expect((await browse(server, "/v1/sign-in/links", undefined, { method: "POST" })).status).toBe(401);
    for (const guess of ["", "x", "A".repeat(43), token]) {
      expect((await enter(server, { link_token: guess })).status).toBe(401);
    }
  });

  it("is good for two minutes, and not behind 32 newer ones", () => {
    let now = 1_000_000;
    const store = { insert: () => undefined, get: () => undefined, delete: () => undefined };
    const signIns = new SignIns({ store, token: null, stateDir: "/s", basePath: "", now: () => now });
    const links = Array.from({ length: 33 }, () => signIns.makeLink());
    expect(links.map((link) => signIns.redeem(link.token))).toEqual([false, ...Array(32).fill(true)]);
    const late = signIns.makeLink();
    now = late.expiresAtMs;
    expect(signIns.redeem(late.token)).toBe(false);
  });

  it("is no request's path, and in no log", async () => {
    await using server = await start();
    const { token: linkToken } = await makeLink(server);
    const cookie = cookieOf(await enter(server, { link_token: linkToken }));
    await browse(server, "/v1/boxes", cookie);
    expect(server.rawLog()).not.toContain(linkToken);
    expect(server.rawLog()).not.toContain(cookie.split("=")[1]);
  });
});

describe("a signed-in browser", () => {
  it("has a cookie that no page can read and no other site can use", async () => {
    await using server = await start({ basePath: "/boxrun" });
    const link = await makeLink(server);
    expect(link.path).toMatch(/^\/boxrun\/ui\/#/);
    const plain = await enter(server, { link_token: link.token });
    const attributes = plain.headers["set-cookie"]?.[0]?.split("; ").slice(1);
    expect(attributes).toEqual(["Max-Age=2592000", "Path=/boxrun", "HttpOnly", "SameSite=Strict"]);
    const secure = await enter(
      server,
      { link_token: (await makeLink(server)).token },
      { origin: `https://${publicName}` },
    );
    expect(secure.headers["set-cookie"]?.[0]).toContain("; Secure");
  });

  it("is signed in with the server's token, too", async () => {
    await using server = await start();
    expect((await enter(server, {})).status).toBe(401);
    const cookie = cookieOf(await enter(server, {}, { authorization: `Bearer ${token}` }));
    expect((await browse(server, "/v1/sign-in", cookie)).json).toMatchObject({ kind: "browser" });
  });

  it("opens terminals, but no page of another origin does with its cookie, nor calls", async () => {
    await using server = await start();
    const box = await createBox(server);
    const cookie = await signedIn(server);
    const own = { ...asPublic, cookie, origin: `https://${publicName}` };
    const path = `/v1/boxes/${box.id}/attach`;
    const client = await TestClient.attach(server, path, { via: "tcp", headers: own });
    client.socket.close();
    expect((await refusal(server, path, { via: "tcp", headers: asPublic })).status).toBe(401);
    for (const origin of ["https://evil.example", `https://${publicName}:444`, `https://evil.${publicName}`, "null"]) {
      expect((await refusal(server, path, { via: "tcp", headers: { ...own, origin } })).status).toBe(403);
      const gc = { body: {}, headers: { origin } };
      expect((await browse(server, "/v1/gc", cookie, gc)).status).toBe(403);
    }
  });

  it("stays so when the server is started anew, but not under another token", async () => {
    await using server = await start();
    const cookie = await signedIn(server);
    const { stateDir } = server;
    await server.stop();
    const next = await start({ stateDir });
    expect((await browse(next, "/v1/boxes", cookie)).status).toBe(200);
    await next.stop();
    const changed = await start({ stateDir, token: "another" });
    expect((await browse(changed, "/v1/boxes", cookie)).status).toBe(401);
    await changed.stop();
  });

  it("is signed out for good", async () => {
    await using server = await start();
    const cookie = await signedIn(server);
    const other = await signedIn(server);
    const left = await browse(server, "/v1/sign-in", cookie, { method: "DELETE" });
    expect(left.headers["set-cookie"]?.[0]).toMatch(/^boxrun_\w+=; Max-Age=0; Path=\//);
    expect((await browse(server, "/v1/sign-in", cookie)).status).toBe(401);
    expect((await browse(server, "/v1/sign-in", other)).status).toBe(200);
  });

  it("is one of 200: the one that signed in first goes", async () => {
    await using server = await start();
    const first = await signedIn(server);
    for (let count = 1; count < 200; count += 1) await signedIn(server);
    expect((await browse(server, "/v1/sign-in", first)).status).toBe(200);
    const last = await signedIn(server);
    expect((await browse(server, "/v1/sign-in", first)).status).toBe(401);
    expect((await browse(server, "/v1/sign-in", last)).status).toBe(200);
  });

  it("shows nothing that lies in the database", async () => {
    await using server = await start();
    const cookie = await signedIn(server);
    const file = await ask(server, "/v1/sign-in", { headers: { cookie } });
    expect(file.json).toMatchObject({ kind: "socket" });
    const { DatabaseSync } = await import("node:sqlite");
    const db = new DatabaseSync(`${server.stateDir}/boxrun.db`);
    const rows = JSON.stringify(db.prepare("SELECT * FROM sign_ins").all());
    db.close();
    expect(rows).toContain("digest");
    expect(rows).not.toContain(cookie.split("=")[1]);
  });

  describe.runIf(process.getuid?.() === 0)("on a loopback port (needs root)", () => {
    const other = 65_534;

    async function askAs(uid: number, server: TestServer, cookie: string): Promise<string> {
      const request = `GET /v1/sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: ${cookie}\r\n\r\n`;
      const script = 'exec 3<>"/dev/tcp/127.0.0.1/$1"; printf %s "$2" >&3; cat <&3';
      const child = spawn("bash", ["-c", script, "bash", String(server.http.tcp?.port), request], {
        uid,
        cwd: "/",
        stdio: ["ignore", "pipe", "inherit"],
      });
      const [answer] = await Promise.all([text(child.stdout), once(child, "exit")]);
      return answer;
    }

    it("is of the user that signed in: another one who got hold of the cookie is refused", async () => {
      await using server = await start();
      const cookie = await signedIn(server);
      expect(await askAs(0, server, cookie)).toContain('"kind":"browser"');
      expect(await askAs(other, server, cookie)).toMatch(/^HTTP\/1\.1 401 /);
    });
  });
});
