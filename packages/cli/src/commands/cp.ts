import { copyBetweenBoxes, copyFromBox, copyInput, copyOutput, copyToBox } from "../copy/copy.ts";
import { type Location, parseLocation, resolveInBox } from "../copy/location.ts";
import { CliError } from "../failure.ts";
import { spin } from "../output/spinner.ts";
import { type Session, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

export function define(command: Verb): void {
  command
    .argument("<source>", "PATH of this host, BOX:PATH, or - for standard input")
    .argument("<destination>", "PATH of this host, BOX:PATH, or - for standard output")
    .addHelpText(
      "after",
      `
Copies a file, or a directory with all in it, and keeps modes. If the destination is a directory, the source goes into it, and
DIR/. stands for what is in DIR. A relative path in a box is one below its working directory. A file of this host whose name
has a colon is written ./NAME. In the box everything belongs to root.

Examples:
  $ boxrun cp ./src dev:/root/
  $ boxrun cp dev:/etc/hostname .
  $ boxrun cp dev:/var/log/. ./logs
  $ boxrun cp dev:model.bin test:/tmp/model.bin
  $ echo hello | boxrun cp - dev:/root/greeting
  $ boxrun cp dev:/etc/passwd - | wc -l
`,
    )
    .action((source: string, destination: string) =>
      withServer(command, `cp ${source} ${destination}`, async (session) => {
        const [from, to] = [parseLocation(source), parseLocation(destination)];
        using _ = from.kind === "stdio" || to.kind === "stdio" ? undefined : spin("Copying…", session.reporter);
        await copy(session, from, to);
        if (to.kind !== "stdio") await session.reporter.result({ source, destination }, () => "");
      }),
    );
}

async function copy(session: Session, from: Location, to: Location): Promise<void> {
  const { client, signal } = session;
  if (to.kind === "box") {
    const target = await resolveInBox(client, to, signal);
    if (from.kind === "stdio") return copyInput(session, target);
    if (from.kind === "host") return copyToBox(session, from.path, target);
    return copyBetweenBoxes(session, await resolveInBox(client, from, signal), target);
  }
  if (from.kind === "box") {
    const source = await resolveInBox(client, from, signal);
    return to.kind === "stdio" ? copyOutput(session, source) : copyFromBox(session, source, to.path);
  }
  throw new CliError("USAGE", "one of source and destination must be in a box: BOX:PATH");
}
