import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { CliProcess } from "./support/cli.ts";
import { CliWithServer } from "./support/server.ts";

/** Makes this Node take itself for an old one, so that `bin/boxrun.js` looks for another. */
const asOldNode = [
  "--import",
  `data:text/javascript,${encodeURIComponent(
    'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.0.0" } })',
  )}`,
];

describe("boxrun on an old Node", () => {
  it("runs with the one beside it, streams, input and exit code included", async () => {
    await using cli = await CliWithServer.start();
    await cli.createBox("dev");
    const options = { nodeOptions: asOldNode, input: "in" };
    const result = await cli.runWith(options, "exec", "-i", "dev", "sh", "-c", "cat; echo err >&2; exit 5");
    expect(result).toMatchObject({ code: 5, stdout: "in", stderr: "err\n" });
  });

  it("passes on a signal that was sent to it alone", async () => {
    await using cli = await CliWithServer.start();
    await cli.createBox("dev");
    const args = ["exec", "dev", "--", "sh", "-c", "echo ready; sleep 60"];
    const running = new CliProcess(args, { nodeOptions: asOldNode, env: cli.env });
    await running.printed("ready\n");
    running.child.kill("SIGTERM");
    expect((await running.result()).code).toBe(128 + constants.signals.SIGTERM);
    expect(cli.server.core.execs.list("dev").items[0]?.status).toBe("canceled");
  });
});
