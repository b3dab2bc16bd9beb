import { urls } from "@boxrun/contract";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { accessibilityFaults } from "./support/browser.ts";
import { DashboardTest } from "./support/dashboard.ts";
import { TestProxy } from "./support/proxy.ts";

const soonMs = 30_000;
/** Every browser takes it for loopback. */
const publicName = "boxes.localhost";
const basePath = "/boxrun";
const token = "s3cret-t0ken-of-the-tests";

let proxy: TestProxy;
let dashboard: DashboardTest;
beforeAll(async () => {
  proxy = await TestProxy.start(basePath);
  const env = {
    BOXRUN_TOKEN: token,
    BOXRUN_ALLOWED_HOSTS: `${publicName}:${proxy.port}`,
    BOXRUN_BASE_PATH: basePath,
  };
  dashboard = await DashboardTest.start({ env });
  proxy.upstreamPort = Number(dashboard.port);
});
afterEach(() => dashboard.closePages());
afterAll(async () => {
  await dashboard?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
});

const address = () => `http://${publicName}:${proxy.port}${basePath}/ui/`;

/** What `boxrun ui --print` says, under the proxy's name. */
async function printedLink(): Promise<string> {
  const { stdout, exitCode } = await dashboard.server.runCli(["ui", "--print"]);
  expect(exitCode).toBe(0);
  const link = /http:\/\/\S+/.exec(stdout)?.[0] ?? "";
  expect(new URL(link).pathname).toBe(`${basePath}/ui/`);
  return `${address()}${new URL(link).hash}`;
}

describe("the dashboard, below a path behind a proxy", () => {
  it("says how to get in, takes a link of `boxrun ui --print` once, is told of changes, and signs out", async () => {
    const { page, complaints } = await dashboard.visit(address());
    await page.getByRole("heading", { name: "You are not signed in" }).waitFor({ timeout: soonMs });
    await page.getByText("boxrun ui", { exact: true }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);

    const link = await printedLink();
    await page.goto("about:blank");
    await page.goto(link);
    await page.getByRole("heading", { name: "No boxes yet" }).waitFor({ timeout: soonMs });
    await page.getByText("Live").waitFor({ timeout: soonMs });
    expect(page.url()).not.toContain("sign-in");

    // A box that can't come up is a change as any other.
    const created = dashboard.server.http.json("POST", urls.boxes(), { image: "127.0.0.1:1/none", name: "seen" });
    await page.getByRole("row", { name: "seen" }).waitFor({ timeout: soonMs });
    await created;

    const other = await dashboard.visit(link);
    await other.page.getByRole("heading", { name: "You are not signed in" }).waitFor({ timeout: soonMs });

    await page.evaluate('location.hash = "/server"');
    await page.getByText("a browser that is signed in").waitFor({ timeout: soonMs });
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "You are not signed in" }).waitFor({ timeout: soonMs });
    expect([...complaints, ...other.complaints]).toEqual([]);
  });

  it("takes the server's token, and says so of a wrong one", async () => {
    const { page } = await dashboard.visit(address());
    const field = page.getByLabel("Or with the server’s token");
    await field.fill("wrong", { timeout: soonMs });
    await page.getByRole("button", { name: "Sign in" }).click();
    await page
      .getByText(/the token is not this server's/)
      .first()
      .waitFor({ timeout: soonMs });
    await field.fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Boxes", level: 1 }).waitFor({ timeout: soonMs });
  });
});

describe("the dashboard, whose frame fails", () => {
  it("says so, and is there again with another try", async () => {
    const { page } = await dashboard.visit("about:blank");
    let isBroken = true;
    // The server's own answer, but for what the frame shows of it.
    await page.route("**/v1/info", async (route) => {
      const answer = await route.fetch();
      await route.fulfill(
        isBroken ? { response: answer, json: { version: "odd", engine: null } } : { response: answer },
      );
    });
    await page.goto(`http://127.0.0.1:${dashboard.port}/ui/`);
    await page.getByRole("alert").getByText("This page has failed").waitFor({ timeout: soonMs });
    isBroken = false;
    await page.getByRole("button", { name: "Reload" }).click();
    await page.getByRole("heading", { name: "Boxes", level: 1 }).waitFor({ timeout: soonMs });
  });
});
