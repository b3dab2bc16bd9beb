import { execProgram, requireTerminalFor } from "../exec-program.ts";
import { exitCodes } from "../exit-codes.ts";
import { CliError } from "../failure.ts";
import { addProgramOptions, execInput, type ProgramOptions } from "../options.ts";
import { masked } from "../output/masked.ts";
import { tellProgramFailure } from "../program-failure.ts";
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

With -it the program has the whole terminal, and Ctrl-C is its own; \`~.\` at the beginning of a line, or Ctrl-P Ctrl-Q, leaves it
running and comes back here. For a shell that one can come back to: \`boxrun attach\`.

Examples:
  $ boxrun exec dev -- ls -l /
  $ boxrun exec -it dev sh
  $ boxrun exec -e DEBUG=1 -e USER -w /tmp -u nobody dev env
  $ boxrun exec dev -- sh -c 'echo $HOME | tr a-z A-Z'
  $ tar c . | boxrun exec -i dev -- tar x -C /srv
  $ boxrun exec --timeout 60 dev -- make test
  $ boxrun exec -d dev -- sh -c 'make all > /tmp/log'
`,
    )
    .action((box: string, program: string[], options: Options) =>
      withServer(command, `exec in ${box}`, async (session) => {
        const { client, reporter } = session;
        if (options.detach) {
          if (options.interactive) throw new CliError("USAGE", "-d and -i: nobody would pass standard input on");
          const exec = await client.execs.start(box, execInput(program, options));
          await reporter.result(masked(exec), ({ id }) => `${id}\n`);
          // Known at once: it is not there, or can't be run.
          if (exec.status === "failed" && exec.error_message !== null) {
            const told = { message: exec.error_message, what: `exec in ${box}`, typedAs: `boxrun exec ${box}` };
            if (!reporter.json) tellProgramFailure(reporter, { ...told, exec, exitCode: exec.exit_code });
            process.exitCode = exec.exit_code ?? exitCodes.failure;
          }
          return;
        }
        requireTerminalFor(options, session);
        const end = await execProgram(session, {
          box,
          what: `exec in ${box}`,
          typedAs: `boxrun exec ${box}`,
          program,
          options,
        });
        process.exitCode = end.kind === "exited" ? end.code : 0;
      }),
    );
}
