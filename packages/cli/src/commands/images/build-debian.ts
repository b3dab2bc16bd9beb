import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { cacheDirOf } from "../../cache-dir.ts";
import { CommandFailure } from "../../failure.ts";
import { listenForInterrupts } from "../../interrupts.ts";
import { imageListing } from "../../listings/images.ts";
import { listTable } from "../../output/format.ts";
import { spin } from "../../output/spinner.ts";
import { bytes, printable } from "../../output/text.ts";
import { reporterOf, withServer } from "../../session.ts";
import type { Verb } from "../../verb.ts";

interface Options {
  readonly suite?: string;
  readonly package?: string[];
  readonly mirror?: string;
  readonly refresh?: boolean;
  readonly output?: string;
  readonly name?: string;
}

const what = "build-debian";

export function define(command: Verb): void {
  command
    .option("--suite <name>", "the release: bookworm, trixie, … (default: this host's)")
    .option("-p, --package <name>", "a package on top of the minimal system (repeatable; default: python3)", addTo)
    .option("--mirror <url>", "where packages come from (default: this host's apt mirror)")
    .option("--refresh", "build it anew, with the packages of today")
    .option("-o, --output <file>", "write the image there as a tar instead of giving it to the server")
    .option("-n, --name <reference>", "what to call the image (default: boxrun-debian:SUITE)")
    .addHelpText(
      "after",
      `
Makes a small Debian image with debootstrap on this host, and gives it to the server. Takes a minute or two, and root.

Examples:
  $ sudo -E boxrun images build-debian
  $ sudo -E boxrun images build-debian --suite trixie -p python3 -p git --name tools:1
  $ sudo -E boxrun images build-debian -o debian.tar
`,
    )
    .action((options: Options) =>
      options.output === undefined ? buildAndImport(command, options) : buildFile(command, options, options.output),
    );
}

function addTo(name: string, names: readonly string[] = []): string[] {
  return [...names, name];
}

async function buildFile(command: Verb, options: Options, output: string): Promise<void> {
  const reporter = reporterOf(command);
  using interrupts = listenForInterrupts();
  const { signal } = interrupts;
  try {
    const outFile = resolve(output);
    const image = await build(options, outFile, { signal, json: reporter.json });
    await reporter.result(
      { ...image, file: outFile },
      () => `${image.reference} ${bytes(image.sizeBytes)} ${output}\n`,
    );
  } catch (error) {
    signal.throwIfAborted();
    throw new CommandFailure(what, error);
  }
}

async function buildAndImport(command: Verb, options: Options): Promise<void> {
  await withServer(command, what, async ({ client, reporter, signal }) => {
    const dir = await mkdtemp(join(tmpdir(), "boxrun-debian-"));
    try {
      const outFile = join(dir, "image.tar");
      await build(options, outFile, { signal, json: reporter.json });
      using _ = spin("Importing the image…", reporter);
      const images = await client.images.import(createReadStream(outFile), { reference: options.name, signal });
      await reporter.result(images, (rows) => listTable(imageListing, rows));
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
}

async function build(
  { suite, package: packages, mirror, refresh }: Options,
  outFile: string,
  { signal, json }: { readonly signal: AbortSignal; readonly json: boolean },
) {
  const { buildDebianImage } = await import("@boxrun/images");
  using spinner = spin("Building a Debian image…", { json });
  return await buildDebianImage({
    outFile,
    cacheDir: cacheDirOf(process.env),
    signal,
    log: (line) => spinner.say(printable(line)),
    ...(suite === undefined ? {} : { suite }),
    ...(packages === undefined ? {} : { packages }),
    ...(mirror === undefined ? {} : { mirror }),
    ...(refresh === undefined ? {} : { refresh }),
  });
}
