import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How long a terminal may take to show what a test waits for. */
const patienceMs = 60_000;
/** tmux tells nobody when a screen changes: it is looked at so often. */
const lookMs = 30;

const settings = `
set-option -g remain-on-exit on
set-option -g status off
set-option -sg escape-time 0
`;

/** What a person's shell does not have: Node prints no colours where CI is set, and others mean another terminal or server. */
const notAPersons = {
  CI: undefined,
  NO_COLOR: undefined,
  FORCE_COLOR: undefined,
  NODE_DISABLE_COLORS: undefined,
  TMUX: undefined,
  BOXRUN_HOST: undefined,
};

interface TmuxOptions {
  /** Characters. Default 80 × 24. */
  readonly cols?: number;
  readonly rows?: number;
  /** Beside this process' own; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** A program in a real terminal of its own: keys go in, the screen comes out. */
export class Tmux implements AsyncDisposable {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** Resolves when the program runs. When it has ended its last screen stays, until `close`. */
  static async start(command: readonly string[], options: TmuxOptions = {}): Promise<Tmux> {
    const tmux = new Tmux(await mkdtemp(join(tmpdir(), "boxrun-tmux-")));
    const env = Object.entries({ ...notAPersons, ...options.env });
    const unset = env.flatMap(([name, value]) => (value === undefined ? ["-u", name] : []));
    const set = env.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
    const size = ["-x", String(options.cols ?? 80), "-y", String(options.rows ?? 24)];
    const cwd = ["-c", options.cwd ?? process.cwd()];
    try {
      await writeFile(join(tmux.#dir, "tmux.conf"), settings);
      await tmux.#tmux(["new-session", "-d", ...size, ...cwd, "--", "env", ...unset, ...set, ...command]);
    } catch (error) {
      await tmux[Symbol.asyncDispose]();
      throw error;
    }
    return tmux;
  }

  /** Types text as it stands. */
  async type(text: string): Promise<void> {
    await this.#tmux(["send-keys", "-l", "--", text]);
  }

  /** Presses keys by tmux's names: `Enter`, `C-c`, `Up`, `Escape`, `Tab`, … */
  async press(...keys: readonly string[]): Promise<void> {
    await this.#tmux(["send-keys", ...keys]);
  }

  async resize(cols: number, rows: number): Promise<void> {
    await this.#tmux(["resize-window", "-x", String(cols), "-y", String(rows)]);
  }

  /** The screen's lines; `styled` keeps their escape sequences, `history` is how many lines that have scrolled away come before. */
  async screen(options: { readonly styled?: boolean; readonly history?: number } = {}): Promise<string> {
    const styled = options.styled ? ["-e"] : [];
    return await this.#tmux(["capture-pane", "-p", ...styled, "-S", String(-(options.history ?? 0))]);
  }

  /** Resolves with the screen once `isShown` says so of it; rejects with the last one if that takes a minute. */
  async shows(isShown: string | RegExp | ((screen: string) => boolean)): Promise<string> {
    const test =
      typeof isShown === "function"
        ? isShown
        : (screen: string) => (typeof isShown === "string" ? screen.includes(isShown) : isShown.test(screen));
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const screen = await this.screen();
      if (test(screen)) return screen;
      if (Date.now() > deadline) throw new Error(`the terminal did not show ${String(isShown)}, but:\n${screen}`);
      await sleep(lookMs);
    }
  }

  /** The program's exit code (128+n for a signal), once it has ended. */
  async ended(): Promise<number> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const format = "#{pane_dead} #{pid} #{pane_dead_status} #{pane_dead_signal}";
      const [dead, pid, code, signal] = (await this.#tmux(["display-message", "-p", format])).trimEnd().split(" ");
      if (dead === "1" && (code || signal)) return code ? Number(code) : 128 + Number(signal);
      // tmux 3.3a sees the terminal close before it learns how the program ended, and sometimes misses that: this makes it look.
      if (dead === "1") process.kill(Number(pid), "SIGCHLD");
      if (Date.now() > deadline) throw new Error(`the program did not end; its screen:\n${await this.screen()}`);
      await sleep(lookMs);
    }
  }

  /** What tmux knows of the terminal, by its names: `alternate_on`, `cursor_flag`, `mouse_any_flag`, … */
  async state(...names: readonly string[]): Promise<Record<string, string>> {
    const format = names.map((name) => `#{${name}}`).join(" ");
    const values = (await this.#tmux(["display-message", "-p", format])).trimEnd().split(" ");
    return Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""]));
  }

  /** Of the program that was started. */
  async pid(): Promise<number> {
    return Number((await this.#tmux(["display-message", "-p", "#{pane_pid}"])).trim());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux(["kill-server"]).catch(() => undefined);
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #tmux(args: readonly string[]): Promise<string> {
    const files = ["-f", join(this.#dir, "tmux.conf"), "-S", join(this.#dir, "socket")];
    const { stdout } = await run("tmux", [...files, "-u", ...args]);
    return stdout;
  }
}
