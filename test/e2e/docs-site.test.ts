import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser } from "./support/browser.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".woff2": "font/woff2",
};

/** The documentation's site as anybody's web server has it: files. */
describe("the site that `npm run docs:build` makes", () => {
  let directory: string;
  let server: Server;
  let address: string;
  let browser: Browser;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "boxrun-site-"));
    await promisify(execFile)("npm", ["run", "docs:build", "--", "--outDir", directory], { cwd: root });
    server = createServer(async (request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      const file = join(directory, normalize(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
      const isThere = await stat(file).catch(() => undefined);
      response.writeHead(isThere ? 200 : 404, { "content-type": types[extname(file)] ?? "application/octet-stream" });
      if (isThere) createReadStream(file).pipe(response);
      else response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${Object(server.address()).port}`;
    browser = await launchBrowser();
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** A page, and what it asked for elsewhere, did not get, or complained of. */
  async function open(path: string): Promise<{ page: Page; faults: string[] }> {
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on("request", (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(`${address}/`)) faults.push(request.url());
    });
    page.on("response", (response) => void (response.ok() || faults.push(`${response.status()} ${response.url()}`)));
    page.on("pageerror", (error) => void faults.push(error.message));
    await page.goto(`${address}${path}`, { waitUntil: "networkidle" });
    return { page, faults };
  }

  it("begins with what BoxRun is, and leads to the first steps", async () => {
    const { page, faults } = await open("/");
    expect(await page.locator(".VPNavBarTitle").textContent()).toBe("BoxRun");
    await page.locator(".VPHero").getByRole("link", { name: "Get started" }).click();
    await page.getByRole("heading", { level: 1, name: "Getting started" }).waitFor();
    expect(await page.locator(".VPSidebar a").count()).toBeGreaterThan(20);
    expect(await page.locator("div[class*='language-']").count()).toBeGreaterThan(10);
    expect(faults).toEqual([]);
  });

  it("finds what is searched for, by itself", async () => {
    const { page, faults } = await open("/docs/mcp.html");
    await page.getByRole("button", { name: /Search/ }).click();
    await page.getByRole("searchbox").fill("BOXRUN_ALLOWED_HOSTS");
    await page.locator(".VPLocalSearchBox .result").first().waitFor();
    expect(await page.locator(".VPLocalSearchBox .result").first().textContent()).toMatch(/proxy|call|setting/i);
    expect(faults).toEqual([]);
  });

  it("shows templates as they are", async () => {
    const { page } = await open("/docs/scripting.html");
    expect(await page.locator("main table").last().textContent()).toContain("--format '{{.name}} {{.status}}'");
  });

  it.each(["/docs/cli.html", "/docs/scripting.html", "/ARCHITECTURE.html", "/python/README.html", "/docs/rest.html"])(
    "shows %s whole",
    async (path) => {
      const { page, faults } = await open(path);
      expect(await page.locator("main h1").textContent()).not.toBe("404");
      expect(await page.locator("main").textContent()).not.toContain("<!-- run");
      expect(faults).toEqual([]);
    },
  );
});
