import { Option } from "commander";
import { type Copy, copyBetweenBoxes, copyFromBox, copyToBox } from "../copy/copy.ts";
import { Incomplete } from "../copy/incomplete.ts";
import { type Location, parseLocation, resolveInBox } from "../copy/location.ts";
import { CopyMeter } from "../copy/meter.ts";
import { copyInput, copyOutput } from "../copy/stdio.ts";
import { CliError } from "../failure.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly owner?: string;
  readonly followLink?: boolean;
}

export function define(command: Verb): void {
  command
    .argument("<source>", "PATH of this host, BOX:PATH, or - for a tar on standard input")
    .argument("<destination>", "PATH of this host, BOX:PATH, or - for a tar on standard output")
    .option(
      "--owner <user>",
      "whose it becomes in the box: a user, with :group if wanted; names or numbers, as the box knows them",
    )
    .option("-L, --follow-link", "follow a symlink that is named as the source, also out of its directory")
    .addOption(new Option("-r, --recursive", "what cp does").hideHelp())
    .addOption(new Option("-R", "what cp does").hideHelp())
    .addHelpText(
      "after",
      `
Copies a file, or a directory with all in it, and keeps modes, times and symlinks. If the destination is a directory, the source
goes into it; DIR/ says that it is one, and as a source DIR/. stands for what is in DIR. A relative path in a box is one below
its working directory. A file of this host whose name has a colon is written ./NAME. What comes from this host belongs to the
user that the box's commands run as, or to --owner; what replaces a file is whose that was; what comes to it is yours.

Examples:
  $ boxrun cp ./src dev:/root/
  $ boxrun cp --owner app:staff ./config dev:/srv/app/
  $ boxrun cp dev:/etc/hostname .
  $ boxrun cp dev:/var/log/. ./logs
  $ boxrun cp dev:model.bin test:/tmp/model.bin
  $ tar c . | boxrun cp - dev:/root/src
  $ boxrun cp dev:/root/src - | tar t
`,
    )
    .action((source: string, destination: string, { owner, followLink = false }: Options) =>
      withServer(command, `cp ${source} ${destination}`, async (session) => {
        const [from, to] = [parseLocation(source), parseLocation(destination)];
        if (owner !== undefined && to.kind !== "box") {
          throw new CliError("USAGE", "--owner says whose files become in a box, and the destination is none");
        }
        using meter = new CopyMeter("Copying", session.reporter);
        const incomplete = new Incomplete(session.reporter);
        await run({ ...session, meter, incomplete, owner, followLinks: followLink }, from, to);
        incomplete.throwIfAny();
        meter.finish("copied");
        if (to.kind !== "stdio") await session.reporter.result({ source, destination }, () => "");
      }),
    );
}

async function run(copy: Copy, from: Location, to: Location): Promise<void> {
  const { client, signal } = copy;
  if (to.kind === "box") {
    const target = await resolveInBox(client, to, signal);
    if (from.kind === "stdio") return copyInput(copy, target);
    if (from.kind === "host") return copyToBox(copy, from.path, target);
    return copyBetweenBoxes(copy, await resolveInBox(client, from, signal), target);
  }
  if (from.kind === "box") {
    const source = await resolveInBox(client, from, signal);
    return to.kind === "stdio" ? copyOutput(copy, source) : copyFromBox(copy, source, to.path);
  }
  throw new CliError(
    "USAGE",
    "one of source and destination must be in a box: BOX:PATH",
    "Say which box it is: `boxrun cp FILE BOX:PATH`; on this host, cp copies.",
  );
}
