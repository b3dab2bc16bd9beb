import { describe, expect, it } from "vitest";
import { cliPath } from "./support/cli.ts";
import { CliWithServer } from "./support/server.ts";
import { Tmux } from "./support/tmux.ts";

describe("boxrun in a real terminal", () => {
  it("colours what it prints, and not with NO_COLOR", async () => {
    await using cli = await CliWithServer.start();
    await cli.createBox("dev");
    const ls = [process.execPath, cliPath, "ls"];
    await using coloured = await Tmux.start(ls, { env: cli.env });
    expect(await coloured.ended()).toBe(0);
    expect(await coloured.screen({ styled: true })).toContain("\u001b[32mrunning");
    await using plain = await Tmux.start(ls, { env: { ...cli.env, NO_COLOR: "1" } });
    expect(await plain.ended()).toBe(0);
    expect(await plain.screen({ styled: true })).toMatch(/dev +running/);
  });
});
