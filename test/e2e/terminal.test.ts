import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tmux } from "boxrun/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { cliPath, TestServer } from "./support/server.ts";

let server: TestServer;
let dir: string;
beforeAll(async () => {
  server = await TestServer.start();
  dir = await mkdtemp(join(tmpdir(), "br-terminal-"));
  const rc = `PS1='host> '\nbr() { "${process.execPath}" "${cliPath}" "$@"; }\n`;
  await writeFile(join(dir, "bashrc"), rc);
  await server.http.createBox({ name: "dev" });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

/** A person's shell on this host, in which `br …` is this boxrun. */
async function openShell(): Promise<Tmux> {
  const command = ["bash", "--noprofile", "--rcfile", join(dir, "bashrc")];
  const shell = await Tmux.start(command, { env: { BOXRUN_STATE_DIR: server.stateDir, BOXRUN_PORT: "0" } });
  await shell.shows(/^host>/);
  return shell;
}

/** Names the box. */
const prompt = /^(dev|mine):~#$/m;

async function expectHostTerminal(shell: Tmux): Promise<void> {
  expect(await shell.state("alternate_on", "cursor_flag", "mouse_any_flag")).toEqual({
    alternate_on: "0",
    cursor_flag: "1",
    mouse_any_flag: "0",
  });
  await shell.type("stty -a | grep -o -w -e '-*icanon' -e '-*echo' -e '-*isig' | sort | xargs\n");
  await shell.shows(/^echo icanon isig$/m);
}

it("a shell in a box of its own: prompt, colours, UTF-8, the window's size, Ctrl-C, and the box goes with it", async () => {
  await using shell = await openShell();
  await shell.type("br shell --rm -n mine -m 256 --cpu 1 -d 1; echo code $?\n");
  await shell.shows(prompt);
  await shell.type("stty size; printf 'gr\\303\\274n \\342\\234\\223 \\033[32mcolour\\033[0m\\n'\n");
  expect(await shell.shows("grün ✓ colour")).toMatch(/^24 80$/m);
  expect(await shell.screen({ styled: true })).toContain("\u001b[32mcolour");
  await shell.resize(100, 30);
  await shell.type("stty size\n");
  await shell.shows(/^30 100$/m);
  // By the program itself: Ctrl-C that comes while a shell starts it is lost.
  await shell.type(`sh -c 'echo sleep""ing; exec sleep 1000'\n`);
  await shell.shows("sleeping");
  await shell.press("C-c");
  // The kernel's echo of the key can be lost, or come behind bash's new line: bash is quick to turn echo off again.
  await shell.shows(/^sleeping\n(\^C\n|\n(\^C)?)mine:~#/m);
  await shell.type("echo interrupted $?; exit 5\n");
  expect(await shell.shows("code 5")).toContain("interrupted 130");
  expect(JSON.parse((await server.runCli(["ls", "--json"])).stdout)).toHaveLength(1);
  await expectHostTerminal(shell);
});

it("full-screen programs: vi saves a file, less pages, top draws", async () => {
  await using shell = await openShell();
  await shell.type("br exec -it dev vi /tmp/note; echo code $?\n");
  await shell.shows(/^- \/tmp\/note/m);
  await shell.type("ihällo from vi");
  await shell.press("Escape");
  // The status line says that vi is in command mode again.
  await shell.shows(/^- \/tmp\/note \[Modified\]/m);
  await shell.type(":wq\n");
  await shell.shows("code 0");
  expect((await server.runCli(["exec", "dev", "cat", "/tmp/note"])).stdout).toBe("hällo from vi\n");

  await shell.type("clear; br exec -it dev sh -c 'seq 1 500 | less'; echo less $?\n");
  await shell.shows(/^20$/m);
  await shell.type("G");
  await shell.shows(/^500$/m);
  await shell.type("q");
  await shell.shows("less 0");

  await shell.type("clear; br exec -it dev top; echo top $?\n");
  await shell.shows("Load average");
  await shell.type("q");
  await shell.shows("top 0");
  await expectHostTerminal(shell);
});

it("a session keeps its screen while one is away, and over a crash of the server", async () => {
  await using shell = await openShell();
  await shell.type("br attach dev --session work; echo code $?\n");
  await shell.shows(prompt);
  await shell.type("vi /tmp/draft\n");
  await shell.shows(/^- \/tmp\/draft/m);
  await shell.type("iunsaved words");
  await shell.press("Escape");
  await shell.shows(/^- \/tmp\/draft \[Modified\]/m);
  await shell.type("\n~.");
  const left = await shell.shows("code 0");
  expect(left).toContain("Detached: the shell runs on; `boxrun attach dev --session work` comes back to it");
  await expectHostTerminal(shell);
  expect((await server.runCli(["sessions", "dev"])).stdout).toMatch(/^work +default +0 /m);

  await shell.type("clear; br attach dev --session work; echo code $?\n");
  await shell.shows("unsaved words");
  await server.kill();
  const lost = await shell.shows("code 125");
  expect(lost).toContain("The connection is lost; `boxrun attach dev --session work` comes back to it");
  await expectHostTerminal(shell);

  await server.restart();
  await shell.type("clear; br attach dev --session work; echo code $?\n");
  await shell.shows(/^unsaved words$/m);
  await shell.type(":wq\n");
  await shell.shows(prompt);
  await shell.type("exit 6\n");
  await shell.shows("code 6");
  expect((await server.runCli(["exec", "dev", "cat", "/tmp/draft"])).stdout).toBe("unsaved words\n");
});

it("sessions can be ended from outside", async () => {
  await using shell = await openShell();
  await shell.type("br attach dev --session gone; echo code $?\n");
  await shell.shows(prompt);
  expect(await server.runCli(["sessions", "dev", "--rm", "gone"])).toMatchObject({ exitCode: 0, stdout: "gone\n" });
  await shell.shows(/^code \d+/m);
  await expectHostTerminal(shell);
  expect((await server.runCli(["sessions", "dev", "--rm", "gone"])).exitCode).toBe(125);
});

it("tar travels through exec -i, into a box and out of it", async () => {
  await using shell = await openShell();
  await shell.type(`head -c 3000000 /dev/urandom > ${dir}/blob; cd ${dir}\n`);
  await shell.type("tar c blob | br exec -i dev -- tar x -C /srv; echo tar $?\n");
  await shell.shows("tar 0");
  await shell.type("clear; (br exec dev md5sum /srv/blob; md5sum blob) | cut -c1-32 | uniq | wc -l\n");
  await shell.shows(/^1$/m);
  // A program that ends before it has read everything.
  await shell.type("clear; cat blob | br exec -i dev -- head -c 3 > three; echo early $? $(wc -c < three)\n");
  await shell.shows("early 0 3");
});
