import { Option } from "commander";
import { execProgram, requireTerminalFor } from "../exec-program.ts";
import { exitCodes } from "../exit-codes.ts";
import { CliError } from "../failure.ts";
import {
  addBoxOptions,
  addProgramOptions,
  type BoxOptions,
  boxInput,
  execInput,
  type ProgramOptions,
} from "../options.ts";
import { notePorts } from "../port-mapping.ts";
import { tellProgramFailure } from "../program-failure.ts";
import { provideImage } from "../pull-image.ts";
import { type Session, withServer } from "../session.ts";
import { createTemporaryBox, inventedName, removeIfThere, requireFree } from "../temporary-box.ts";
import { operandsIn, type Verb } from "../verb.ts";

interface Options extends BoxOptions, ProgramOptions {
  readonly keep?: boolean;
  readonly rm?: boolean;
  readonly detach?: boolean;
}

export function define(command: Verb): void {
  addProgramOptions(
    addBoxOptions(
      command
        .programFollows()
        .rewritesWords(readOldDiskOption)
        .argument("<image>", "an image: `base`, a short name like `python`, or a reference")
        .argument("[program...]", "the program and its arguments, no shell in between (default: the image's own)"),
      "",
    ),
  )
    .addOption(new Option("--rm", "remove the box afterwards: what `run` does").conflicts("keep").hideHelp())
    .option("--keep", "keep the box afterwards")
    .option("-d, --detach", "print the box's id and leave the program running; the box stays")
    .addHelpText(
      "after",
      `
Makes a box, runs the program, or what the image says (its ENTRYPOINT and CMD; with a program neither is used), in it as \`boxrun exec\`
would, and removes the box, also after Ctrl-C; with --keep it stays. Only a boxrun that
is killed by force leaves its box, named run-…, behind for \`boxrun rm -f\`. With -it the program has the whole terminal; leaving
it with \`~.\` at the beginning of a line, or Ctrl-P Ctrl-Q, leaves it running, and its box too.

Examples:
  $ boxrun run base -- uname -a
  $ boxrun run python -- python -c 'print(6 * 7)'
  $ boxrun run -it base
  $ boxrun run -d --network -n web node -- npx --yes http-server
  $ boxrun run --keep --name built base -- touch /root/done
  $ boxrun run --network -m 2048 node -- npx --yes cowsay hello
  $ tar c . | boxrun run -i base -- sh -c 'tar x && ls'
`,
    )
    .action((image: string, program: string[], options: Options) =>
      withServer(command, `run ${image}`, async (session) => {
        if (options.detach) requireDetachable(options);
        else requireTerminalFor(options, session);
        const name = options.name ?? inventedName("run");
        if (options.name !== undefined) await requireFree(session.client, options.name);
        await provideImage(session, image, options.pull);
        const work = options.detach ? runDetached : run;
        process.exitCode = await work(session, { image, name, program, options });
      }),
    );
}

/** In 0.3 `-d` was the size of the disk, which is a number; no image is called by a number. */
function readOldDiskOption(words: readonly string[], options: readonly Option[]): string[] {
  const at = words.findIndex(
    (word, index) => /^-d\d+$/.test(word) || (word === "-d" && /^\d+$/.test(words[index + 1] ?? "")),
  );
  if (at === -1 || operandsIn(options, words.slice(0, at)) > 1 || words.slice(0, at).includes("--")) return [...words];
  const [own = "", next = ""] = words.slice(at);
  const [size, behind] = own === "-d" ? [next, at + 2] : [own.slice(2), at + 1];
  return [...words.slice(0, at), "--disk", size, ...words.slice(behind)];
}

function requireDetachable({ rm, ttl, interactive, tty }: Options): void {
  if (interactive || tty) throw new CliError("USAGE", "-d and -i or -t: nobody would pass standard input on");
  if (rm && ttl === undefined)
    throw new CliError(
      "USAGE",
      "-d and --rm: nobody would be left to remove the box",
      "With --ttl the server removes it; `boxrun gc` removes stopped ones.",
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
  notePorts(reporter, box, options.publish);
  let stays = options.keep ?? false;
  try {
    const end = await execProgram(session, {
      box: box.name ?? box.id,
      what: `run ${image}`,
      typedAs: `boxrun run ${image}`,
      program,
      options,
    });
    if (end.kind === "detached") stays = true;
    return end.kind === "exited" ? end.code : 0;
  } finally {
    if (stays) reporter.note(`Its box stays: \`boxrun rm -f ${name}\` removes it`, { box_id: box.id });
    else await removeIfThere(client, box.id);
  }
}

/** The box stays: it is all that is left to ask for the program. One whose program did not start goes. */
async function runDetached(session: Session, { image, name, program, options }: Run): Promise<number> {
  const { client, reporter } = session;
  const box = await createTemporaryBox(session, { image, ...boxInput(options), name });
  notePorts(reporter, box, options.publish);
  const exec = await client.execs.start(box.id, execInput(program, options)).catch(async (error: unknown) => {
    await removeIfThere(client, box.id);
    throw error;
  });
  if (exec.status === "failed" && exec.error_message !== null) {
    await removeIfThere(client, box.id);
    const told = { message: exec.error_message, what: `run ${image}`, typedAs: `boxrun run ${image}` };
    tellProgramFailure(reporter, { ...told, exec, exitCode: exec.exit_code });
    return exec.exit_code ?? exitCodes.failure;
  }
  await reporter.result({ box_id: box.id, exec_id: exec.id }, () => `${box.id}\n`);
  reporter.note(`\`boxrun logs -f ${name}\` follows it, \`boxrun rm -f ${name}\` ends and removes it`, {
    box_id: box.id,
  });
  return 0;
}
