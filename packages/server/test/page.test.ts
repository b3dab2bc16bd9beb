import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { revision } from "@boxrun/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ask, ask } from "./support/http.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

const index = '<!doctype html><script type="module" src="./assets/index-a1b2c3.js"></script>';
const script = `console.log("${"the page".repeat(100)}")`;

let dashboardDir: string;
let server: TestServer;
beforeAll(async () => {
  dashboardDir = await mkdtemp(join(tmpdir(), "boxrun-ui-"));
  await mkdir(join(dashboardDir, "assets"));
  await mkdir(join(dashboardDir, ".vite"));
  await writeFile(join(dashboardDir, ".vite/manifest.json"), "{}");
  await writeFile(join(dashboardDir, "index.html"), index);
  await writeFile(join(dashboardDir, "icon.svg"), "<svg/>");
  await writeFile(join(dashboardDir, "assets/index-a1b2c3.js"), script);
  await writeFile(join(dashboardDir, "assets/index-a1b2c3.js.gz"), gzipSync(script));
  server = await startTestServer({ dashboardDir });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(dashboardDir, { recursive: true });
});

const get = (path: string, options: Ask = {}) => ask(server, path, { via: "tcp", ...options });

describe("the dashboard", () => {
  it("is what / and /ui lead to", async () => {
    for (const path of ["/", "/ui", "/?x=1"]) {
      const answer = await get(path);
      expect([answer.status, answer.headers.location]).toEqual([302, "/ui/"]);
    }
    const page = await get("/ui/");
    expect([page.status, page.text]).toEqual([200, index]);
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect((await get("/ui/", { method: "HEAD" })).status).toBe(200);
  });

  it("runs its own code alone, in no frame, and says nothing of itself elsewhere", async () => {
    for (const path of ["/ui/", "/ui/assets/index-a1b2c3.js"]) {
      const { headers } = await get(path);
      const policy = String(headers["content-security-policy"]).split("; ");
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("base-uri 'none'");
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
      });
    }
  });

  it("is asked for anew each time, but what is named after its content is kept", async () => {
    const page = await get("/ui/");
    expect(page.headers["cache-control"]).toBe("no-cache");
    expect((await get("/ui/icon.svg")).headers["cache-control"]).toBe("no-cache");
    const again = await get("/ui/", { headers: { "if-none-match": String(page.headers.etag) } });
    expect(again.status).toBe(304);
    const asset = await get("/ui/assets/index-a1b2c3.js");
    expect(asset.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    expect(asset.text).toBe(script);
  });

  it("is sent packed to whoever can unpack it", async () => {
    const packed = await get("/ui/assets/index-a1b2c3.js", { headers: { "accept-encoding": "gzip" } });
    expect(packed.headers["content-encoding"]).toBe("gzip");
    expect(packed.headers["content-type"]).toMatch(/^(text|application)\/javascript/);
    expect(packed.bytes).toEqual(gzipSync(script));
  });

  it("names the contract that the server speaks", async () => {
    expect((await get("/ui/")).headers["boxrun-contract"]).toBe(revision);
  });

  it("is found from an address below its own, and what there is not is not found", async () => {
    expect((await get("/ui/boxes/dev")).headers.location).toBe("/ui/");
    const gone = await get("/ui/assets/index-000000.js");
    expect([gone.status, gone.headers["cache-control"]]).toEqual([404, "no-store"]);
    expect(gone.json).toMatchObject({ code: "NOT_FOUND" });
  });

  it.each([
    "/ui/../package.json",
    "/ui/%2e%2e/package.json",
    "/ui/..%2fpackage.json",
    "/ui/.vite/manifest.json",
    "/ui//etc/hosts.txt",
    "/ui/assets/%00.js",
    "/ui/assets/%ff.js",
  ])("gives nothing else of the host: %s", async (path) => {
    expect((await get(path)).status).toBeGreaterThanOrEqual(400);
  });

  it("is shown under a name of the server's alone", async () => {
    expect((await get("/ui/", { headers: { host: "evil.example" } })).status).toBe(403);
  });

  it("says how to build it where it is not built", async () => {
    await using bare = await startTestServer();
    const answer = await ask(bare, "/ui/", { via: "tcp" });
    expect(answer.status).toBe(503);
    expect(answer.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(answer.text).toContain("npm run setup");
  });

  it("and its API are found below a base path, whether or not the proxy takes that off", async () => {
    await using based = await startTestServer({ dashboardDir, basePath: "/boxrun" });
    const status = async (path: string) => (await ask(based, path, { via: "tcp" })).status;
    for (const path of ["/boxrun", "/boxrun/", "/boxrun?x", "/boxrun/ui", "/", "/ui"]) {
      expect((await ask(based, path, { via: "tcp" })).headers.location).toBe("/boxrun/ui/");
    }
    for (const path of ["/boxrun/ui/", "/ui/", "/boxrun/v1/boxes", "/v1/boxes"]) expect(await status(path)).toBe(200);
    for (const path of ["/boxruns/ui/", "/boxrun/boxrun/ui/", "/x/boxrun/ui/"]) expect(await status(path)).toBe(404);
  });
});
