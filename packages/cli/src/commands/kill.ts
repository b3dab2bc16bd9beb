import type { SignalName } from "@boxrun/contract";
import { signalNames } from "@boxrun/contract/plain";
import { InvalidArgumentError } from "commander";
import { forEachNamed, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly signal?: SignalName;
}

export function define(command: Verb): void {
  command
    .argument("<box>", "name or id")
    .argument("[exec...]", "ids, as `boxrun ps` shows them")
    .completes("running-exec")
    .option("-s, --signal <signal>", "send this signal instead: TERM, SIGTERM or 15", signalName)
    .rewritesWords(readSignalOption)
    .addHelpText(
      "after",
      `
Ends programs with all that they have started: SIGTERM, and SIGKILL 5 s later for those that are still there. Returns when they
are gone. With -s, the signal is sent to the program's process group and nothing is waited for.

Examples:
  $ boxrun kill dev exec_0pKx6qXh1mTz
  $ boxrun kill -9 dev exec_0pKx6qXh1mTz
  $ boxrun kill -s HUP dev exec_0pKx6qXh1mTz
  $ boxrun kill dev $(boxrun ps -q dev)
`,
    )
    .action((box: string, execs: string[], { signal: name }: Options) =>
      withServer(command, `kill in ${box}`, async (session) => {
        const { client, signal, reporter } = session;
        if (execs.length === 0) {
          await client.boxes.get(box, { signal });
          reporter.note("Nothing to end: no exec was named", {});
          return;
        }
        const kill = async (exec: string) => {
          if (name === undefined) await client.execs.cancel(box, exec, { signal });
          else await client.execs.signal(box, exec, name, { signal });
          return { exec, signal: name ?? null };
        };
        await forEachNamed(session, `kill in ${box}`, execs, kill, ({ exec }) => `${exec}\n`);
      }),
    );
}

/** `-9` and `-HUP` as `-s 9` and `-s HUP`, as of kill(1). */
function readSignalOption(words: readonly string[]): string[] {
  const [first = "", ...others] = words;
  return /^-(\d+|(SIG)?[A-Z][A-Z0-9]+)$/.test(first) ? ["-s", first.slice(1), ...others] : [...words];
}

/** In a box, which is Linux whatever this host is: signal(7), x86 and arm. */
const signalNumbers: Readonly<Record<number, SignalName>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  9: "SIGKILL",
  10: "SIGUSR1",
  12: "SIGUSR2",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
  18: "SIGCONT",
  19: "SIGSTOP",
  20: "SIGTSTP",
  21: "SIGTTIN",
  22: "SIGTTOU",
  28: "SIGWINCH",
};

export function signalName(text: string): SignalName {
  const wanted = text.toUpperCase();
  const found = /^\d+$/.test(text)
    ? signalNumbers[Number(text)]
    : signalNames.find((name) => name === wanted || name === `SIG${wanted}`);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(
    `It must be a signal's name or number: ${signalNames.map((name) => name.slice(3)).join(", ")}.`,
  );
}
