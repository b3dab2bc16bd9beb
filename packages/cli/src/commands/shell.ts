import type { Box } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import { addEnvironmentOptions, type EnvironmentOptions, environmentInput } from "../environment-options.ts";
import { requireTerminal } from "../exec-program.ts";
import { absolutePath, addBoxOptions, type BoxOptions, boxInput } from "../options.ts";
import { provideImage } from "../pull-image.ts";
import { type Session, withServer } from "../session.ts";
import { createTemporaryBox, inventedName, removeIfThere, requireFree } from "../temporary-box.ts";
import type { Verb } from "../verb.ts";

interface Options extends BoxOptions, EnvironmentOptions {
  readonly workdir?: string;
  readonly rm?: boolean;
  readonly shell?: string;
}

/** The session of the shell: with it a lost connection, or leaving, loses nothing. */
const sessionName = "main";

export function define(command: Verb): void {
  addEnvironmentOptions(
    addBoxOptions(command.argument("[image]", "an image: `base`, a short name like `python`, or a reference", "base")),
    "a variable for every program in the box",
  )
    .option("-w, --workdir <path>", "where the shell starts (default: the image's, else /root)", absolutePath)
    .option("--rm", "remove the box when the shell exits")
    .option("--shell <path>", "the shell (default: /bin/bash, and /bin/sh where there is none)")
    .addHelpText(
      "after",
      `
Makes a box and opens a shell in it, in this terminal. The box stays when the shell exits, unless --rm is given. \`~.\` at the
beginning of a line (\`~~\` sends a tilde), or Ctrl-P Ctrl-Q, leaves the shell running: \`boxrun attach\` comes back to it.

Examples:
  $ boxrun shell
  $ boxrun shell python --network -v .:/root/src
  $ boxrun shell --rm -m 512 -e EDITOR=vi base
`,
    )
    .action((image: string, options: Options) =>
      withServer(command, `shell ${image}`, async (session) => {
        requireTerminal("shell", "`boxrun run` runs a program in a box without one.");
        process.exitCode = await openShell(session, image, options);
      }),
    );
}

async function openShell(session: Session, image: string, options: Options): Promise<number> {
  const { client } = session;
  const name = options.name ?? inventedName("shell");
  if (options.name !== undefined) await requireFree(client, options.name);
  await provideImage(session, image, options.pull);
  const [box, { attachTerminal }] = await Promise.all([
    createTemporaryBox(session, {
      image,
      ...boxInput(options),
      name,
      ...environmentInput(options),
      ...(options.workdir === undefined ? {} : { workdir: options.workdir }),
    }),
    import("../terminal/attach.ts"),
  ]);
  try {
    const end = await attachTerminal(session, { box: name, shell: options.shell, name: sessionName });
    if (end.kind === "detached") return 0;
    if (options.rm) await removeIfThere(client, box.id);
    else noteThatItStays(session, box, name);
    return end.code;
  } catch (error) {
    // Only what the user can come back to is left: not a box whose shell never ran.
    if (session.signal.aborted ? options.rm : error instanceof BoxRunError) await removeIfThere(client, box.id);
    else noteThatItStays(session, box, name);
    throw error;
  }
}

function noteThatItStays({ reporter }: Session, box: Box, name: string): void {
  reporter.note(
    `Box ${name} stays: \`boxrun attach ${name}\` opens a shell in it, \`boxrun rm -f ${name}\` removes it`,
    {
      box_id: box.id,
    },
  );
}
