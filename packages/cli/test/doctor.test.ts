import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CliWithServer } from "./support/server.ts";

it("a server elsewhere is asked what it finds on its own host", async () => {
  await using cli = await CliWithServer.start();
  const elsewhere = await mkdtemp(join(tmpdir(), "br-doctor-"));
  const { stateDir } = cli.server;
  const { socketPath } = cli.server.http;
  const env = { BOXRUN_STATE_DIR: elsewhere, BOXRUN_CACHE_DIR: elsewhere, BOXRUN_HOST: `unix://${socketPath}` };
  const { stdout } = await cli.runWith({ env }, "doctor", "--json");
  await rm(elsewhere, { recursive: true });
  const findings: { readonly name: string; readonly message: string }[] = JSON.parse(stdout);
  const told = (name: string) => findings.filter((finding) => finding.name === name).map(({ message }) => message);
  expect(told("state directory")).toEqual([`${stateDir} is writable`]);
  expect(told("server")).toHaveLength(1);
  expect(told("node")).toHaveLength(1);
  expect(stdout).not.toContain(elsewhere);
});
