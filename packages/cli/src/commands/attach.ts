import { requireTerminal } from "../exec-program.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly shell?: string;
  readonly session?: string;
  readonly share?: boolean;
}

export function define(command: Verb): void {
  command
    .argument("<box>", "name or id")
    .option("--shell <path>", "the shell (default: /bin/bash, and /bin/sh where there is none)")
    .option("-s, --session <name>", "a shell that runs on when you leave, and to which you can come back")
    .option("--share", "join who is attached to the session, instead of taking over")
    .addHelpText(
      "after",
      `
Opens a shell in the box, in this terminal. It ends with the connection unless it is a session's: attaching to that again
brings the screen back. \`~.\` at the beginning of a line (\`~~\` sends a tilde), or Ctrl-P Ctrl-Q, detaches. The exit code is the shell's.

Examples:
  $ boxrun attach dev
  $ boxrun attach dev --session work
  $ boxrun attach dev --session work --share
  $ boxrun attach dev --shell /bin/ash
`,
    )
    .action((box: string, { shell, session: name, share }: Options) =>
      withServer(command, `attach ${box}`, async (session) => {
        requireTerminal("attach", "To pipe into a program use `boxrun exec -i`.");
        const { attachTerminal } = await import("../terminal/attach.ts");
        const end = await attachTerminal(session, { box, shell, name, share });
        process.exitCode = end.kind === "exited" ? end.code : 0;
      }),
    );
}
