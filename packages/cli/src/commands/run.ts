import { Option } from "commander";
import { execProgram, requireTerminalFor } from "../exec-program.ts";
import { addBoxOptions, addProgramOptions, type BoxOptions, boxInput, type ProgramOptions } from "../options.ts";
import { provideImage } from "../pull-image.ts";
import { type Session, withServer } from "../session.ts";
import { createTemporaryBox, inventedName, removeIfThere, requireFree } from "../temporary-box.ts";
import type { Verb } from "../verb.ts";

interface Options extends BoxOptions, ProgramOptions {
  readonly keep?: boolean;
}

export function define(command: Verb): void {
  addProgramOptions(
    addBoxOptions(
      command
        .programFollows()
        .argument("<image>", "an image: `base`, a short name like `python`, or a reference")
        .argument("<program...>", "the program and its arguments; no shell in between"),
    ),
  )
    .addOption(new Option("--rm", "remove the box afterwards: what `run` does").conflicts("keep").hideHelp())
    .option("--keep", "keep the box afterwards")
    .addHelpText(
      "after",
      `
Makes a box, runs the program in it as \`boxrun exec\` would, and removes the box, also after Ctrl-C; with --keep it stays. Only a boxrun that
is killed by force leaves its box, named run-…, behind for \`boxrun rm -f\`. With -it the program has the whole terminal; leaving
it with \`~.\` at the beginning of a line, or Ctrl-P Ctrl-Q, leaves it running, and its box too.

Examples:
  $ boxrun run base -- uname -a
  $ boxrun run python -- python -c 'print(6 * 7)'
  $ boxrun run -it base sh
  $ boxrun run --keep --name built base -- touch /root/done
  $ boxrun run --network -m 2048 node -- npx --yes cowsay hello
  $ tar c . | boxrun run -i base -- sh -c 'tar x && ls'
`,
    )
    .action((image: string, program: string[], options: Options) =>
      withServer(command, `run ${image}`, async (session) => {
        requireTerminalFor(options, session);
        const name = options.name ?? inventedName("run");
        if (options.name !== undefined) await requireFree(session.client, options.name);
        await provideImage(session, image, options.pull);
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
  let stays = options.keep ?? false;
  try {
    const end = await execProgram(session, { box: box.name ?? box.id, what: `run ${image}`, program, options });
    if (end.kind === "detached") stays = true;
    return end.kind === "exited" ? end.code : 0;
  } finally {
    if (stays) reporter.note(`Its box stays: \`boxrun rm -f ${name}\` removes it`, { box_id: box.id });
    else await removeIfThere(client, box.id);
  }
}
