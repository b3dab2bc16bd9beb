import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type CompletingShell, ShellWithCompletion } from "./support/completing-shell.ts";
import { CliWithServer } from "./support/server.ts";

describe.each<[CompletingShell]>([["bash"], ["zsh"], ["fish"]])("Tab in %s", (name) => {
  let cli: CliWithServer;
  let shell: ShellWithCompletion;
  beforeAll(async () => {
    cli = await CliWithServer.start();
    await cli.createBox("dev");
    await cli.createBox("idle");
    await cli.run("stop", "idle");
    for (const path of ["deep/below", "notes", "two words", "a;touch ran;b"]) {
      await cli.putFile("dev", `/data/${path}`, "1");
    }
    shell = await ShellWithCompletion.start(name, { env: cli.env, files: ["letter.txt", "dew.txt"] });
  }, 60_000);
  afterAll(async () => {
    await shell?.[Symbol.asyncDispose]();
    await cli?.[Symbol.asyncDispose]();
  });

  afterEach(() => shell.clear());

  it.each([
    ["a verb", "boxrun insp", /^> boxrun inspect$/m],
    ["a verb below a verb", "boxrun images imp", /^> boxrun images import$/m],
    ["an option", "boxrun create --mem", /^> boxrun create --memory/m],
    ["an option's value", "boxrun ls --status stop", /^> boxrun ls --status stopped/m],
    ["an option's value behind =", "boxrun ls --status=stop", /^> boxrun ls --status=stopped/m],
    ["a box that runs", "boxrun stop d", /^> boxrun stop dev/m],
    ["a box that is stopped", "boxrun start ", /^> boxrun start idle/m],
    ["an image", "boxrun create ba", /^> boxrun create base/m],
    ["a file of this host", "boxrun cp let", /^> boxrun cp letter\.txt/m],
    ["a path in a box", "boxrun cp dev:/da", /^> boxrun cp dev:\/data\/$/m],
    ["a path below another", "boxrun cp dev:/data/de", /^> boxrun cp dev:\/data\/deep\/$/m],
    [
      "a path in a box as destination",
      "boxrun cp letter.txt dev:/data/no",
      /^> boxrun cp letter\.txt dev:\/data\/notes/m,
    ],
    ["a path with a space", "boxrun cp dev:/data/two", /^> boxrun cp dev:\/data\/two\\ words/m],
    ["a path with a space behind a quote", "boxrun cp 'dev:/data/two", /^> boxrun cp 'dev:\/data\/two words'?/m],
  ])("completes %s", async (_, typed, expected) => {
    await shell.complete(typed, expected);
  });

  it("goes on from what it has completed", async () => {
    await shell.complete("boxrun cp de", /dev:/, 2);
    await shell.clear();
    await shell.complete("boxrun cp dev:/da", /^> boxrun cp dev:\/data\/$/m);
    await shell.complete("no", /^> boxrun cp dev:\/data\/notes/m);
  });

  it("lists boxes and files where both fit", async () => {
    const screen = await shell.complete("boxrun cp de", /dev:.*dew\.txt|dew\.txt.*dev:/s, 2);
    expect(screen).not.toContain("idle");
  });

  it("inserts a hostile name as one word", async () => {
    await shell.complete("boxrun cp dev:/data/a", /^> boxrun cp dev:\/data\/a\\;touch\\ ran\\;b/m);
  });

  it("offers nothing and says nothing where there is no server", async () => {
    await using other = await ShellWithCompletion.start(name, { env: { BOXRUN_STATE_DIR: "/dev/null/nowhere" } });
    await other.tmux.type("boxrun stop d");
    await other.tmux.press("Tab");
    await other.tmux.type("ev");
    expect(await other.tmux.shows(/^> boxrun stop dev *$/m)).not.toContain("Error");
  });
});
