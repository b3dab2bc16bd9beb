import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { urls } from "@boxrun/contract";
import { expect, it } from "vitest";
import { TestServer } from "./support/server.ts";

const why =
  "was made by the firecracker engine, which this server does not have: this version of BoxRun has no such engine";

it("a box of an engine that is not there is listed, says so and can be removed, and the server goes on", async () => {
  await using server = await TestServer.start({ env: { BOXRUN_ENGINE: "qemu" } });
  const ours = await server.http.createBox({ name: "ours" });
  const foreign = await server.http.createBox({ name: "foreign" });
  await server.http.json("POST", urls.stopBox("foreign"));
  await server.stop();
  const database = new DatabaseSync(join(server.stateDir, "boxrun.db"));
  database.prepare("UPDATE boxes SET engine = 'firecracker' WHERE id = ?").run(foreign.id);
  database.close();
  await server.restart();

  expect((await server.http.json("GET", urls.boxes())).body).toMatchObject([
    { name: "foreign", engine: "firecracker", status: "stopped", error_message: expect.stringContaining(why) },
    { name: "ours", engine: "qemu", status: "running", error_message: null },
  ]);
  expect(await server.http.json("POST", urls.startBox("foreign"))).toMatchObject({
    status: 400,
    body: { code: "RUNTIME_ERROR", message: `Cannot start box foreign: it ${why}` },
  });
  const exec = await server.runCli(["exec", "foreign", "--", "true"]);
  expect([exec.exitCode, exec.stderr]).toEqual([125, expect.stringContaining(why)]);

  const disk = join(server.stateDir, "vm", foreign.id);
  const gently = await server.runCli(["rm", "foreign"]);
  expect([gently.exitCode, gently.stderr]).toEqual([125, expect.stringContaining("Remove it by force")]);
  expect(existsSync(disk)).toBe(true);
  expect(await server.runCli(["rm", "--force", "foreign"])).toMatchObject({ exitCode: 0, stdout: "foreign\n" });
  expect(existsSync(disk)).toBe(false);
  expect((await server.http.json("GET", urls.boxes())).body).toMatchObject([{ name: "ours" }]);

  expect(await server.http.run(ours.id, ["echo", "still here"])).toMatchObject({ stdout: "still here\n", exitCode: 0 });
  expect((await server.http.json("GET", urls.info())).body).toMatchObject({
    engine: { name: "qemu", requested: "qemu", reason: expect.stringContaining("asks for qemu"), considered: [] },
    boxes: { running: 1, stopped: 0 },
  });
});
