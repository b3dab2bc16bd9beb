import { execProgram, requireTerminalFor } from "../exec-program.ts";
import { addBoxOptions, addProgramOptions, type BoxOptions, boxInput, type ProgramOptions } from "../options.ts";
import { type Session, withServer } from "../session.ts";
import { createTemporaryBox, inventedName, removeIfThere, requireFree } from "../temporary-box.ts";
import type { Verb } from "../verb.ts";

type Options = BoxOptions & ProgramOptions;

export function define(command: Verb): void {
  addProgramOptions(
    addBoxOptions(
      command
        .programFollows()
        .argument("<image>", "an image: `base`, a short name like `python`, or a reference")
        .argument("<program...>", "the program and its arguments; no shell in between"),
    ),
  )
    .addHelpText(
      "after",
      `
Makes a box, runs the program in it as \`boxrun exec\` would, and removes the box, also after Ctrl-C. Only a boxrun that
is killed by force leaves its box, named run-…, behind for \`boxrun rm -f\`. With -it the program has the whole terminal; leaving
it with \`~.\` at the beginning of a line, or Ctrl-P Ctrl-Q, leaves it running, and its box too.

Examples:
  $ boxrun run base -- uname -a
  $ boxrun run python -- python -c 'print(6 * 7)'
  $ boxrun run -it base sh
  $ boxrun run --network -m 2048 node -- npx --yes cowsay hello
  $ tar c . | boxrun run -i base -- sh -c 'tar x && ls'
`,
    )
    .action((image: string, program: string[], options: Options) =>
      withServer(command, `run ${image}`, async (session) => {
        requireTerminalFor(options, session);
        const name = options.name ?? inventedName("run");
        if (options.name !== undefined) await requireFree(session.client, options.name);
        process.exitCode = await run(session, { image, name, program, options });
      }),
    );
}

interface Run {
  readonly image: string;
  readonly name: string;
  readonly program: string[];
  readonly options: Options;
}

async function run(session: Session, { image, name, program, options }: Run): Promise<number> {
  const { client, reporter } = session;
  const box = await createTemporaryBox(session, { image, ...boxInput(options), name });
  let isDetached = false;
  try {
    const end = await execProgram(session, { box: box.name ?? box.id, what: `run ${image}`, program, options });
    isDetached = end.kind === "detached";
    if (isDetached) reporter.note(`Its box stays: \`boxrun rm -f ${name}\` removes it`, { box_id: box.id });
    return end.kind === "exited" ? end.code : 0;
  } finally {
    if (!isDetached) await removeIfThere(client, box.id);
  }
}
