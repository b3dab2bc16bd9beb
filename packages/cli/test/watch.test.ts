import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cliPath } from "./support/cli.ts";
import { CliWithServer } from "./support/server.ts";
import { Tmux } from "./support/tmux.ts";

let cli: CliWithServer;
beforeEach(async () => {
  cli = await CliWithServer.start();
  await cli.createBox("first");
});
afterEach(() => cli[Symbol.asyncDispose]());

const watch = [process.execPath, cliPath, "ls", "--watch"];

/** The next server of a state directory whose boxes have run on. */
function nextServer({ server }: CliWithServer): Promise<CliWithServer> {
  return CliWithServer.start({ stateDir: server.stateDir, host: server.host });
}

describe("ls --watch", () => {
  it("redraws on a terminal, and Ctrl-C leaves it as it was", async () => {
    await using tmux = await Tmux.start(
      ["sh", "-c", 'trap : INT; echo before; "$@"; echo "code $?"; read _', "sh", ...watch],
      {
        env: cli.env,
      },
    );
    await tmux.shows("first");
    await cli.createBox("third");
    await tmux.shows(/third +running/);
    await cli.run("rm", "-f", "third");
    await tmux.shows((screen) => !screen.includes("third"));
    await tmux.press("C-c");
    expect(await tmux.shows("code 130")).toMatch(/^before\n(\^C)?/);
  });

  it("shows no secrets of the environment in its JSON", async () => {
    await cli.run("create", "base", "-n", "secretive", "-m", "64", "-e", "API_TOKEN=hunter2");
    const json = cli.spawn("ls", "--watch", "--json");
    await json.printed("secretive");
    json.child.kill("SIGINT");
    const { stdout } = await json.result();
    expect(stdout).toContain('"env":{"API_TOKEN":"***"}');
    expect(stdout).not.toContain("hunter2");
  });

  it("prints a line per change on a pipe, JSON with --json", async () => {
    const [text, json] = [cli.spawn("ls", "--watch", "-f", "name=w*"), cli.spawn("ls", "--watch", "--json")];
    await json.printed("first");
    await cli.createBox("watched");
    await text.printed("  watched  running  base\n");
    await cli.run("rm", "-f", "watched");
    await text.printed("  watched  removed  base\n");
    await json.printed("box_removed");
    text.child.kill("SIGINT");
    json.child.kill("SIGINT");
    expect(await text.result()).toMatchObject({ code: 130, stderr: "" });
    const events = (await json.result()).stdout
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(events[0]).toMatchObject({ event: "box", data: { name: "first" } });
    expect(events.at(-1)).toMatchObject({ event: "box_removed" });
  });

  it("fits the terminal, also when that changes its size", async () => {
    await cli.createBox("a-box-with-a-long-name");
    await using tmux = await Tmux.start(watch, { env: cli.env, cols: 100 });
    await tmux.shows(/^ID +NAME +STATUS +IMAGE +CPU +MEMORY +DISK +CREATED$/m);
    await tmux.resize(42, 10);
    const narrow = await tmux.shows(/^ID +NAME +STATUS +IMAGE$/m);
    expect(narrow).toMatch(/^box_\S+ +a-box-w… +running +base$/m);
    expect(narrow.trimEnd().split("\n")).toHaveLength(3);
    await tmux.resize(100, 2);
    await tmux.shows(/^ID .*CREATED\n… 2 more$/m);
    await tmux.resize(100, 24);
    await tmux.shows(/^box_\S+ +first +running/m);
    await tmux.press("C-c");
    expect(await tmux.ended()).toBe(130);
  });

  it("goes on over a restart of the server, and says meanwhile that it is not there", async () => {
    await using tmux = await Tmux.start(watch, { env: cli.env, cols: 160 });
    await tmux.shows("first");
    await cli.server.stop();
    expect(await tmux.shows("Trying again…")).toMatch(/first +running/);
    await using next = await nextServer(cli);
    await next.createBox("second");
    const screen = await tmux.shows(/second +running/);
    expect(screen).toMatch(/^ID .*\n.*second +running.*\n.*first +running/m);
    expect(await tmux.shows((now) => !now.includes("Trying again"))).toContain("second");
    await tmux.press("C-c");
    expect(await tmux.ended()).toBe(130);
  });

  it("tells on a pipe what has changed while the server was away, and nothing twice", async () => {
    await cli.createBox("other");
    const watching = cli.spawn("ls", "--watch");
    await watching.printed("  other  running");
    await cli.server.stop();
    await using next = await nextServer(cli);
    await next.run("rm", "-f", "first");
    await next.createBox("third");
    await watching.printed("  third  running");
    watching.child.kill("SIGINT");
    const { code, stdout, stderr } = await watching.result();
    expect(code).toBe(130);
    expect(stdout.match(/ {2}first {2}running/g)).toHaveLength(1);
    expect(stdout.match(/ {2}first {2}removed/g)).toHaveLength(1);
    expect(stdout.match(/ {2}other {2}running/g)).toHaveLength(1);
    expect(stderr).toMatch(/^.*Trying again…\n$/);
  });
});
