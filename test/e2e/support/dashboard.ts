import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { z } from "zod";
import { complaintsOf, launchBrowser } from "./browser.ts";
import { TestServer } from "./server.ts";

/** The part of `server.json` that says where the server listens. */
const discoverySchema = z.object({ tcp: z.string() });

export interface OpenPage {
  readonly page: Page;
  readonly complaints: readonly string[];
}

/** A real server, and a browser that looks at its dashboard. */
export class DashboardTest implements AsyncDisposable {
  readonly server: TestServer;
  readonly #browser: Browser;
  readonly #address: string;

  private constructor(server: TestServer, browser: Browser, address: string) {
    this.server = server;
    this.#browser = browser;
    this.#address = address;
  }

  static async start(options: Parameters<typeof TestServer.start>[0] = {}): Promise<DashboardTest> {
    const [server, browser] = await Promise.all([TestServer.start(options), launchBrowser()]);
    const { tcp } = discoverySchema.parse(JSON.parse(await readFile(join(server.stateDir, "server.json"), "utf8")));
    return new DashboardTest(server, browser, tcp);
  }

  get port(): string {
    return new URL(`http://${this.#address.replace(/^https?:\/\//, "")}`).port;
  }

  /** A browser of its own, without anything of the others', at a place of the page. */
  open(place: string, options: Parameters<Browser["newContext"]>[0] = {}): Promise<OpenPage> {
    return this.visit(`http://127.0.0.1:${this.port}/ui/#${place}`, options);
  }

  /** As `open`, at an address. */
  async visit(address: string, options: Parameters<Browser["newContext"]>[0] = {}): Promise<OpenPage> {
    const context = await this.#browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
    const page = await context.newPage();
    const complaints = complaintsOf(page);
    await page.goto(address);
    return { page, complaints };
  }

  /** For the end of a test: a page that stays open goes on drawing whatever changes, beside the pages of all tests that follow. */
  async closePages(): Promise<void> {
    const contexts = this.#browser.contexts();
    // What a route of a test's is about to answer has nobody any more that waits for it.
    const pages = contexts.flatMap((context) => context.pages());
    await Promise.all(pages.map((page) => page.unrouteAll({ behavior: "ignoreErrors" })));
    await Promise.all(contexts.map((context) => context.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.server[Symbol.asyncDispose]();
  }
}
