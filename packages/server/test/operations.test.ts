import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openApiDocument, operationIds, operations, revision } from "@boxrun/contract";
import { Turns } from "@boxrun/core";
import { describe, expect, it } from "vitest";
import { buildApp } from "../src/app.ts";
import { Guard } from "../src/auth/guard.ts";
import { SignIns } from "../src/auth/sign-ins.ts";
import { Lifetime } from "../src/lifetime.ts";
import { ListingPlaces } from "../src/listing-places.ts";
import { Mcp } from "../src/mcp.ts";
import { createMetrics } from "../src/metrics.ts";
import { routes } from "../src/register.ts";
import { SendBudget } from "../src/send-budget.ts";
import { ask } from "./support/http.ts";
import { startTestServer } from "./support/server.ts";

const noSignIns = { insert: () => undefined, get: () => undefined, delete: () => undefined };

describe("the routes of the server", () => {
  it("serve every operation of the contract once, and nothing else", () => {
    const served = routes().flatMap((route) => route.operationIds);
    expect(served.toSorted()).toEqual(operationIds.toSorted());
  });

  it("are all that the application has besides the dashboard", async () => {
    await using server = await startTestServer({ tcp: null });
    const signIns = new SignIns({ store: noSignIns, token: null, stateDir: server.stateDir, basePath: "" });
    const guard = new Guard({ token: null, allowedHosts: [], signIns });
    const app = await buildApp({
      core: server.core,
      lifetime: new Lifetime(),
      guard,
      signIn: { guard, signIns, basePath: "", address: () => null },
      logger: server.logger,
      metrics: createMetrics(),
      version: "0",
      spoolDir: server.spoolDir,
      stateDir: server.stateDir,
      dbPath: join(server.stateDir, "boxrun.db"),
      socketPath: server.http.socketPath,
      cacheDir: join(server.stateDir, "cache"),
      heartbeatMs: 15_000,
      sending: { turns: new Turns(4), budget: new SendBudget() },
      listings: new ListingPlaces(),
      page: { basePath: "" },
      history: { store: { append: () => undefined, list: () => [] }, keepsArguments: true },
      mcp: new Mcp({ socketPath: "/nowhere", version: "0" }),
    });
    const had = new Set<string>();
    let path: string[] = [];
    // A tree: each level is indented by four characters, and a leaf ends with its methods.
    for (const line of app.printRoutes({ commonPrefix: false }).split("\n")) {
      const [, indent = "", url = "", methods = ""] = line.match(/^([│ ]*)[├└]── (\S+)(?: \((.+)\))?$/) ?? [];
      path = [...path.slice(0, indent.length / 4), url];
      for (const method of methods.split(", ").filter((name) => name !== "")) had.add(`${method} ${path.join("")}`);
    }
    const known = routes().map(({ method, url }) => `${method} ${url}`);
    // The last one as the tree writes `/ui/*`.
    const page = ["/", "/ui", "/ui*"].flatMap((url) => [`GET ${url}`, `HEAD ${url}`]);
    expect([...had].toSorted()).toEqual([...known, ...page].toSorted());
    await app.close();
  });

  it("answer every operation with something else than that there is nothing", async () => {
    await using server = await startTestServer({ tcp: null });
    for (const id of operationIds) {
      const { method, path, response } = operations[id];
      if (response.kind === "events" && !path.includes("{")) continue;
      const url = path.replace("{reference}", "x").replace(/\{\w+\}/g, "dev");
      const answer = await ask(server, url, { method });
      expect([id, answer.json]).not.toMatchObject([id, { code: "NOT_FOUND" }]);
    }
  });
});

describe("the OpenAPI document", () => {
  const checkedIn: unknown = JSON.parse(readFileSync(new URL("../../contract/openapi.json", import.meta.url), "utf8"));
  const { version } = JSON.parse(readFileSync(new URL("../../contract/package.json", import.meta.url), "utf8"));

  it("is checked in as the contract has it; `npm run openapi -w @boxrun/contract` writes it anew", () => {
    expect(checkedIn).toEqual(openApiDocument(version));
    const digest = createHash("sha256")
      .update(JSON.stringify(openApiDocument(version)))
      .digest("hex");
    expect(digest.slice(0, 16)).toBe(revision);
  });

  it("refers to nothing that it does not have", () => {
    const text = JSON.stringify(checkedIn);
    const names = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(50);
    for (const name of new Set(names)) expect(checkedIn).toHaveProperty(["components", "schemas", name ?? ""]);
  });

  it("is served", async () => {
    await using server = await startTestServer({ tcp: null });
    const answer = await ask(server, "/openapi.json");
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ ...openApiDocument("0.0.0-test") });
  });
});
