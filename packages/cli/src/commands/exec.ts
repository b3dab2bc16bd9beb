import { followExec } from "../follow-exec.ts";
import { addProgramOptions, execInput, type ProgramOptions } from "../options.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options extends ProgramOptions {
  readonly detach?: boolean;
}

export function define(command: Verb): void {
  addProgramOptions(
    command
      .programFollows()
      .argument("<box>", "name or id")
      .completes("box:exec")
      .argument("<program...>", "the program and its arguments; no shell in between"),
  )
    .option("-d, --detach", "print the exec's id and leave the program running")
    .addHelpText(
      "after",
      `
Passes on the program's output and exit code. Ctrl-C cancels the program; a second one leaves at once. Options behind the
program's name are the program's. With --json each event is a line of JSON.

Examples:
  $ boxrun exec dev -- ls -l /
  $ boxrun exec -e DEBUG=1 -w /tmp dev env
  $ boxrun exec dev -- sh -c 'echo $HOME | tr a-z A-Z'
  $ cat data.csv | boxrun exec -i dev -- wc -l
  $ boxrun exec -t 60 dev -- make test
`,
    )
    .action((box: string, program: string[], options: Options) =>
      withServer(command, `exec in ${box}`, async (session) => {
        const { client, reporter } = session;
        // Not given up by Ctrl-C: the program would run on without us knowing its id to cancel it.
        const exec = await client.execs.start(box, execInput(program, options));
        if (options.detach) return reporter.result(exec, ({ id }) => `${id}\n`);
        process.exitCode = await followExec(session, exec, {
          what: `exec in ${box}`,
          interactive: options.interactive ?? false,
        });
      }),
    );
}
