import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cliPath } from "./cli.ts";
import { Tmux } from "./tmux.ts";

export type CompletingShell = "bash" | "zsh" | "fish";

/** `bash` with its package bash-completion, as most people have it; the others as they come. */
const setUps: Readonly<
  Record<CompletingShell, { readonly file: string; readonly text: string; readonly command: (dir: string) => string[] }>
> = {
  bash: {
    file: "bashrc",
    text: "PS1='> '\nsource /usr/share/bash-completion/bash_completion\nsource <(boxrun completion bash)\nbind 'set bell-style none'\n",
    command: (dir) => ["bash", "--noprofile", "--rcfile", join(dir, "bashrc"), "-i"],
  },
  zsh: {
    file: ".zshrc",
    text: "PS1='> '\nunsetopt beep\nautoload -Uz compinit\ncompinit -u -D\nsource <(boxrun completion zsh)\n",
    command: () => ["zsh", "-i"],
  },
  fish: {
    file: "config.fish",
    text: "function fish_prompt; echo '> '; end\nset -g fish_greeting\nset -g fish_autosuggestion_enabled 0\nboxrun completion fish | source\n",
    command: (dir) => ["fish", "--no-config", "--init-command", `source ${join(dir, "config.fish")}`],
  },
};

/** An interactive shell in a terminal, with boxrun and its completion. */
export class ShellWithCompletion implements AsyncDisposable {
  readonly #dir: string;
  readonly tmux: Tmux;

  private constructor(dir: string, tmux: Tmux) {
    this.#dir = dir;
    this.tmux = tmux;
  }

  /** Its working directory is empty but for `files`. */
  static async start(
    shell: CompletingShell,
    options: { readonly env: Readonly<Record<string, string>>; readonly files?: readonly string[] },
  ): Promise<ShellWithCompletion> {
    const dir = await mkdtemp(join(tmpdir(), "boxrun-shell-"));
    const { file, text, command } = setUps[shell];
    const cwd = await mkdtemp(join(dir, "cwd-"));
    for (const name of options.files ?? []) await writeFile(join(cwd, name), "");
    await writeFile(join(dir, file), text);
    await writeFile(join(dir, "boxrun"), `#!/bin/sh\nexec '${process.execPath}' '${cliPath}' "$@"\n`, { mode: 0o755 });
    const env = { HOME: dir, ZDOTDIR: dir, PATH: `${dir}:${process.env.PATH}`, LC_ALL: "C.UTF-8", ...options.env };
    const tmux = await Tmux.start(command(dir), { cols: 120, rows: 40, env, cwd });
    const started = new ShellWithCompletion(dir, tmux);
    await tmux.shows(/^> ?$/m);
    return started;
  }

  /** Types a line's begin and presses Tab; resolves with the screen once it shows what is expected. */
  async complete(typed: string, expected: string | RegExp, tabs = 1): Promise<string> {
    await this.tmux.type(typed);
    for (let tab = 0; tab < tabs; tab += 1) await this.tmux.press("Tab");
    return await this.tmux.shows(expected);
  }

  /** Gives the line up; a prompt on an otherwise empty screen follows. */
  async clear(): Promise<void> {
    await this.tmux.press("C-e", "C-u", "C-l");
    await this.tmux.shows((screen) => screen.trim() === ">");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tmux[Symbol.asyncDispose]();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
