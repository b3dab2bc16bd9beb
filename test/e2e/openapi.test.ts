import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startTestServer } from "@boxrun/server/testing";
import { expect, it } from "vitest";
import { Http } from "./support/http.ts";
import { pythonEnvironment } from "./support/python.ts";

const execute = promisify(execFile);
const config = fileURLToPath(new URL("clients/schemathesis.toml", import.meta.url));

/** What the server must do whatever it is asked. That it may refuse what the document's schemas allow (a path that is not there) is no fault. */
const checks = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "negative_data_rejection",
];

it("answers whatever schemathesis makes up from the OpenAPI document as the document says, and never with a 5xx", async () => {
  const bin = await pythonEnvironment("schemathesis", ["schemathesis==4.32.5"]);
  const directory = await mkdtemp(join(tmpdir(), "boxrun-schemathesis-"));
  await using server = await startTestServer({ recoveryWaitMs: 1_000 });
  try {
    await using http = new Http(server.http.socketPath);
    for (const name of ["dev", "other"]) await http.createBox({ name });
    const address = `http://127.0.0.1:${server.http.tcp?.port}`;
    const options = ["--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--generation-deterministic"];
    const limits = ["--max-time", "40", "--request-timeout", "10", "--no-color", "--warnings", "off"];
    const { stdout } = await execute(
      join(bin, "st"),
      ["--config-file", config, "run", `${address}/openapi.json`, "--checks", checks.join(","), ...options, ...limits],
      { cwd: directory, maxBuffer: 64 * 1024 * 1024 },
    ).catch((error: unknown) => {
      throw new Error(`schemathesis found:\n${Object(error).stdout}${Object(error).stderr}`, { cause: error });
    });
    expect(Number(/(\d+) generated/.exec(stdout)?.[1])).toBeGreaterThan(500);
    // It was asked about a box that runs, to the end.
    expect((await http.getBox("dev")).status).toBe("running");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
