import { findingSchema } from "@boxrun/contract";
import { expect, it } from "vitest";
import { ask } from "./support/http.ts";
import { startTestServer } from "./support/server.ts";

it("the server says what `boxrun doctor` finds on its host", async () => {
  await using server = await startTestServer();
  const { status, json } = await ask(server, "/v1/doctor");
  expect(status).toBe(200);
  const findings = findingSchema.array().parse(json);
  expect(findings).toContainEqual({
    name: "socket",
    status: "ok",
    message: `${server.http.socketPath} is its owner's alone`,
  });
  // There is no guest in this server's cache directory, and its engine has no need of one.
  expect(findings.find(({ name }) => name === "guest kernel")).toMatchObject({ advice: expect.any(String) });
  expect(findings.find(({ name }) => name === "engine")).toMatchObject({ status: "ok" });
});
