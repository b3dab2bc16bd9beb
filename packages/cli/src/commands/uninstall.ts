import { flushCompileCache } from "node:module";
import { confirm } from "../confirm.ts";
import { localContext } from "../contexts/file.ts";
import { CommandFailure } from "../failure.ts";
import { type Installation, requireOwnership, runManager, thisInstallation } from "../installation.ts";
import { listenForInterrupts } from "../interrupts.ts";
import { completionFiles, type Place, places, removePlace, sizeOf } from "../leftovers.ts";
import { shellText } from "../output/shell-text.ts";
import { note } from "../output/streams.ts";
import { bytes } from "../output/text.ts";
import { liveServer } from "../server-pid.ts";
import { reporterOf } from "../session.ts";
import { stopServer } from "../stop-server.ts";
import { isOwn, type OwnTarget, resolveTarget } from "../target.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly purge?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export function define(command: Verb): void {
  command
    .option("--purge", "remove boxes, images and settings, too")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "only say what would be done")
    .addHelpText(
      "after",
      `
Stops the boxes and the server, so that no VM is left running, and lets the package manager that installed boxrun remove it. Boxes,
images, built files and contexts stay for the next installation, unless --purge removes them. It never becomes another user.

Examples:
  $ boxrun uninstall --dry-run
  $ boxrun uninstall --dry-run --purge
  $ boxrun uninstall --purge --yes
`,
    )
    .action((options: Options) => uninstall(command, options));
}

interface Kept {
  readonly place: Place;
  readonly sizeBytes: number;
}

async function uninstall(command: Verb, options: Options): Promise<void> {
  const { env } = process;
  const reporter = reporterOf(command);
  const purge = options.purge ?? false;
  // Whatever context is in use: what is on this host is what goes.
  const target = resolveTarget({ context: localContext }, env);
  if (!isOwn(target)) throw new TypeError("the local context is this user's own server");
  const installation = thisInstallation();
  const kept = await Promise.all(places(env).map(async (place) => ({ place, sizeBytes: await sizeOf(place) })));
  const scripts = completionFiles(env);
  const plan = planText({ target, installation, kept, scripts, purge });
  const result = {
    purge,
    places: kept.map(({ place, sizeBytes }) => ({ dir: place.dir, what: place.what, size_bytes: sizeBytes })),
    completion_scripts: scripts,
    command: installation.kind === "package" ? shellText(installation.uninstall) : null,
  };
  if (options.dryRun) return reporter.result({ ...result, done: false }, () => plan);
  using interrupts = listenForInterrupts();
  const { signal } = interrupts;
  if (installation.kind === "package") requireOwnership(installation, installation.uninstall);
  if (!reporter.json) note(plan);
  if (!options.yes && !(await confirm("Go on?", signal))) {
    return reporter.result({ ...result, done: false }, () => "Nothing was done.\n");
  }
  try {
    await stopServer(target, { boxes: purge ? "remove" : "stop", reporter, signal });
    const others = purge ? await removeAll(kept) : [];
    if (installation.kind === "package") await runManager(installation.uninstall, installation.cwd, signal);
    await reporter.result({ ...result, done: true, not_ours: others }, () => doneText(others, installation));
  } catch (error) {
    signal.throwIfAborted();
    throw new CommandFailure("uninstall", error);
  }
}

interface Plan {
  readonly target: OwnTarget;
  readonly installation: Installation;
  readonly kept: readonly Kept[];
  readonly scripts: readonly string[];
  readonly purge: boolean;
}

function planText({ target, installation, kept, scripts, purge }: Plan): string {
  const server = liveServer(target.stateDir);
  const sizes = kept.map(({ place, sizeBytes }) => `  ${place.dir} (${place.what}, ${bytes(sizeBytes)})\n`).join("");
  const places =
    kept.length === 0 ? "" : purge ? `Removes for good:\n${sizes}` : `Leaves, unless --purge is given:\n${sizes}`;
  const files =
    scripts.length === 0
      ? ""
      : `Leaves completion scripts, for you to remove:\n${scripts.map((path) => `  ${path}\n`).join("")}`;
  return [
    purge ? "Removes all boxes, running ones too, with their disks.\n" : "Stops the boxes that run.\n",
    server === undefined ? "" : `Stops the server (pid ${server.pid}).\n`,
    places,
    files,
    installation.kind === "package" ? `Runs ${shellText(installation.uninstall)}\n` : "",
    leftText(installation),
  ].join("");
}

function leftText(installation: Installation): string {
  switch (installation.kind) {
    case "checkout":
      return `Leaves the checkout ${installation.dir}, for you to remove.\n`;
    case "archive":
      return `Leaves boxrun itself, for you to remove: \`rm -r ${shellText([installation.dir])}\`\n`;
    case "deb":
      return "Leaves boxrun itself, for you to remove: `sudo apt-get remove boxrun`\n";
    default:
      return "";
  }
}

/** What was in the places without being BoxRun's, and is there still. */
async function removeAll(kept: readonly Kept[]): Promise<string[]> {
  // Node would write its compile cache when this process ends, and so bring back a directory that was removed.
  flushCompileCache();
  const others: string[] = [];
  for (const { place } of kept) {
    for (const name of await removePlace(place)) others.push(`${place.dir}/${name}`);
  }
  return others;
}

function doneText(others: readonly string[], installation: Installation): string {
  const left =
    others.length === 0 ? "" : `Left, because it is not BoxRun's:\n${others.map((path) => `  ${path}\n`).join("")}`;
  return `${left}${installation.kind === "package" ? "boxrun is uninstalled.\n" : "Done.\n"}`;
}
