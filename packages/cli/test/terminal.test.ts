import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { boxrun, cliPath } from "./support/cli.ts";
import { terminalPrograms } from "./support/programs.ts";
import { CliWithServer } from "./support/server.ts";
import { Tmux } from "./support/tmux.ts";

let cli: CliWithServer;
let dir: string;
beforeAll(async () => {
  cli = await CliWithServer.start({ programs: terminalPrograms });
  await cli.createBox("dev");
  dir = await mkdtemp(join(tmpdir(), "boxrun-terminal-"));
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

/** A person's shell, in which `br …` is this boxrun; its pid is then in `pid`. */
async function openShell(server: CliWithServer = cli): Promise<Tmux> {
  const rc = join(dir, "bashrc");
  const br = `br() { (echo $BASHPID > ${dir}/pid; exec "${process.execPath}" "${cliPath}" "$@"); }`;
  await writeFile(rc, `PS1='$ '\nulimit -c 0\n${br}\n`);
  const shell = await Tmux.start(["bash", "--noprofile", "--rcfile", rc], { env: server.env });
  await shell.shows(/^\$/);
  return shell;
}

async function killCli(signal: NodeJS.Signals): Promise<void> {
  process.kill(Number(await readFile(join(dir, "pid"), "utf8")), signal);
}

/** Throws unless the terminal is as a shell expects it: typed text shows, Ctrl-C interrupts, nothing of a program is left. */
async function expectSane(shell: Tmux): Promise<void> {
  const names = [
    "alternate_on",
    "mouse_any_flag",
    "mouse_sgr_flag",
    "cursor_flag",
    "keypad_flag",
    "keypad_cursor_flag",
  ];
  expect(await shell.state(...names)).toEqual({
    alternate_on: "0",
    mouse_any_flag: "0",
    mouse_sgr_flag: "0",
    cursor_flag: "1",
    keypad_flag: "0",
    keypad_cursor_flag: "0",
  });
  await shell.type("stty -a | grep -o -w -e '-*icanon' -e '-*echo' -e '-*isig' | sort | xargs\n");
  await shell.shows(/^echo icanon isig$/m);
  // Once it runs: a Ctrl-C that comes sooner is the shell's.
  await shell.type("sh -c 'echo sleep\"\"ing; exec sleep 1000'\n");
  await shell.shows("sleeping");
  await shell.press("C-c");
  await shell.type("echo inter''rupted $?\n");
  await shell.shows("interrupted 130");
}

describe("a program in the terminal (exec -it)", () => {
  it("has the terminal's size from the start, follows it, and gets every key", async () => {
    await using shell = await openShell();
    await shell.type("br exec -it dev editor; echo code $?\n");
    await shell.shows("editor 80x24");
    await shell.resize(97, 31);
    await shell.shows("[97x31]");
    await shell.press("C-z", "C-\\", "Up", "F1");
    await shell.type("ä~.");
    await shell.shows("<1a><1c><1b><4f><41><1b><4f><50><c3><a4><7e><2e>");
    await shell.type("q");
    await shell.shows("code 0");
    await expectSane(shell);
  });

  it("leaves the terminal in order when it ends without doing so, and passes its exit code on", async () => {
    await using shell = await openShell();
    await shell.type("br exec -it dev editor; echo code $?\n");
    await shell.shows("editor 80x24");
    await shell.type("x");
    await shell.shows("code 7");
    await expectSane(shell);
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGINT", 130],
    ["SIGQUIT", 131],
    ["SIGALRM", 142],
  ] as const)("leaves the terminal in order when boxrun gets %s", async (signal, code) => {
    await using shell = await openShell();
    await shell.type("br exec -it dev editor; echo code $?\n");
    await shell.shows("editor 80x24");
    await killCli(signal);
    await shell.shows(`code ${code}`);
    await expectSane(shell);
  });

  it("leaves the terminal in order, and says what runs on, when the connection is lost", async () => {
    await using own = await CliWithServer.start({ programs: terminalPrograms });
    await own.createBox("dev");
    await using shell = await openShell(own);
    await shell.type("br exec -it dev editor; echo code $?\n");
    await shell.shows("editor 80x24");
    await own.server.stop();
    const screen = await shell.shows("code 125");
    expect(screen).toMatch(/^The connection is lost; the program runs on: `boxrun logs -f dev exec_/m);
    expect(screen).toMatch(/^Error: exec in dev: /m);
    await expectSane(shell);
  });

  it("takes the terminal back after it was stopped from outside and continued", async () => {
    await using shell = await openShell();
    await shell.type("br exec -it dev editor; echo code $?\n");
    await shell.shows("editor 80x24");
    await killCli("SIGSTOP");
    await shell.shows(/Stopped/);
    await shell.type("stty sane; fg; echo back $?\n");
    await shell.shows(/\[80x24\]/);
    await shell.press("C-z");
    await shell.shows("<1a>");
    await shell.type("q");
    await shell.shows("back 0");
    await expectSane(shell);
  });

  it.each([
    ["~. behind Enter", (shell: Tmux) => shell.type("\n~.")],
    ["Ctrl-P Ctrl-Q", (shell: Tmux) => shell.press("C-p", "C-q")],
  ] as const)("goes on when one leaves it with %s", async (_, leave) => {
    await using shell = await openShell();
    await shell.type("br exec -it dev editor; echo code $?\n");
    await shell.shows("editor 80x24");
    await shell.type("k");
    await shell.shows("<6b>");
    await leave(shell);
    const screen = await shell.shows("code 0");
    const id = /Detached; the program runs on: `boxrun logs -f dev (exec_\S+)`/.exec(screen)?.[1];
    expect(cli.server.core.execs.get("dev", id ?? "").status).toBe("running");
    await expectSane(shell);
    await cli.server.core.execs.cancel("dev", id ?? "");
  });

  it("is left with ~. also behind what the terminal has answered", async () => {
    await using shell = await openShell();
    await shell.type("br exec -it dev asker; echo code $?\n");
    await shell.shows("answered");
    await shell.type("~.");
    expect(await shell.shows("code 0")).toContain("Detached; the program runs on");
    await expectSane(shell);
    await cli.server.core.execs.cancel("dev", cli.server.core.execs.list("dev").items[0]?.id ?? "");
  });

  it("gets a Ctrl-P that no Ctrl-Q follows", async () => {
    await using shell = await openShell();
    await shell.type("br exec -it dev editor\n");
    await shell.shows("editor 80x24");
    await shell.press("C-p");
    await shell.shows("<10>");
    await shell.type("q");
  });

  it("without -i leaves the keyboard to this terminal: Ctrl-C cancels", async () => {
    await using shell = await openShell();
    await shell.type("br exec -t dev painter; echo code $?\n");
    await shell.shows("painter 80x24");
    await shell.press("C-c");
    await shell.shows("code 130");
    await expectSane(shell);
    expect(cli.server.core.execs.list("dev").items[0]?.status).toBe("canceled");
  });

  it("is a usage error without a terminal", async () => {
    for (const verb of [
      ["exec", "-it", "dev", "sh"],
      ["exec", "-t", "dev", "sh"],
      ["run", "-it", "base", "sh"],
    ]) {
      const result = await cli.run(...verb);
      expect(result).toMatchObject({ code: 2, stdout: "" });
      expect(result.stderr).toMatch(/^Error: -t needs a terminal, and standard input is none\nHint: /);
    }
    expect((await boxrun(["attach", "dev"], { env: cli.env })).code).toBe(2);
    expect((await boxrun(["shell"], { env: cli.env })).code).toBe(2);
    expect((await cli.run("exec", "-t", "-d", "dev", "true")).code).toBe(0);
    expect(await cli.run("exec", "-d", "-i", "dev", "cat")).toMatchObject({ code: 2 });
  });
});

describe("run -it", () => {
  it("removes the box when the program ends, and keeps it when one leaves", async () => {
    await using shell = await openShell();
    await shell.type("br run -it -n one base editor; echo code $?\n");
    await shell.shows("editor 80x24");
    await shell.type("x");
    await shell.shows("code 7");
    expect(cli.server.core.boxes.list().map((box) => box.name)).toEqual(["dev"]);
    await shell.type("clear; br run -it -n two base editor; echo code $?\n");
    await shell.shows("editor 80x24");
    await shell.press("C-p", "C-q");
    expect(await shell.shows("code 0")).toContain("Its box stays: `boxrun rm -f two` removes it");
    await cli.server.core.boxes.remove("two", { force: true });
  });
});

describe("attach", () => {
  it("comes back to a session with its screen, and tells whom it takes over from", async () => {
    await using shell = await openShell();
    await shell.type("br attach dev --session work; echo code $?\n");
    await shell.shows(/^\$ $|^\$$/m);
    await shell.type("echo first\n");
    await shell.shows(/^first$/m);
    await shell.type("\n~.");
    expect(await shell.shows("code 0")).toContain("`boxrun attach dev --session work` comes back to it");
    await shell.type("clear\n");
    await shell.shows((screen) => !screen.includes("first"));
    await shell.type("br attach dev --session work; echo code $?\n");
    await shell.shows(/^first$/m);
    await using other = await openShell();
    await other.type("br attach dev --session work; echo code $?\n");
    await other.shows(/^first$/m);
    expect(await shell.shows("code 0")).toContain("Detached: Another client took over session work");
    await expectSane(shell);
    await other.type("exit 4\n");
    await other.shows("code 4");
    await expectSane(other);
  });

  it("says that a shell without a session has ended with it", async () => {
    await using shell = await openShell();
    await shell.type("br attach dev; echo code $?\n");
    await shell.shows(/code \$\?\n\$/);
    await shell.press("C-p", "C-q");
    expect(await shell.shows("code 0")).toContain("Detached: the shell has ended; with --session NAME it would run on");
  });

  it("fails before it touches the terminal where the box is not there", async () => {
    await using shell = await openShell();
    await shell.type("br attach nope; echo code $?\n");
    expect(await shell.shows("code 125")).toContain('Error: attach nope: There is no box "nope"');
    await expectSane(shell);
  });
});

describe("shell", () => {
  it("says how to come back to the box, which --rm removes instead", async () => {
    await using shell = await openShell();
    await shell.type("br shell -n mine; echo code $?\n");
    await shell.shows(/code \$\?\n\$/);
    await shell.type("exit 3\n");
    expect(await shell.shows("code 3")).toContain("Box mine stays: `boxrun attach mine` opens a shell in it");
    await shell.type("clear; br rm -f mine; br shell --rm -n other; echo code $?\n");
    await shell.shows(/^\$\n*$/m);
    await shell.type("exit\n");
    await shell.shows("code 0");
    expect(cli.server.core.boxes.list().map((box) => box.name)).toEqual(["dev"]);
  });
});

describe("sessions", () => {
  it("are listed and ended by name", async () => {
    await using shell = await openShell();
    await shell.type("br attach dev --session listed; echo code $?\n");
    await shell.shows(/code \$\?\n\$/);
    expect((await cli.run("sessions", "dev")).stdout).toMatch(/^NAME .*\nlisted +default +1 +80x24 +/);
    expect(JSON.parse((await cli.run("sessions", "dev", "--json")).stdout)).toMatchObject([{ name: "listed" }]);
    expect(await cli.run("sessions", "dev", "--rm", "listed")).toMatchObject({ code: 0, stdout: "listed\n" });
    await shell.shows(/^code \d+/m);
    expect(await cli.run("sessions", "dev", "--rm", "listed")).toMatchObject({ code: 125 });
  });
});

describe("boxrun in a real terminal", () => {
  it("colours what it prints, and not with NO_COLOR", async () => {
    const ls = [process.execPath, cliPath, "ls"];
    await using coloured = await Tmux.start(ls, { env: cli.env });
    expect(await coloured.ended()).toBe(0);
    expect(await coloured.screen({ styled: true })).toContain("\u001b[32mrunning");
    await using plain = await Tmux.start(ls, { env: { ...cli.env, NO_COLOR: "1" } });
    expect(await plain.ended()).toBe(0);
    expect(await plain.screen({ styled: true })).toMatch(/dev +running/);
  });
});
