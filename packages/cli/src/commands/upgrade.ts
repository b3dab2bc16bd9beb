import { confirm } from "../confirm.ts";
import { CommandFailure } from "../failure.ts";
import {
  type Installation,
  installedVersion,
  requireOwnership,
  runManager,
  thisInstallation,
} from "../installation.ts";
import { listenForInterrupts } from "../interrupts.ts";
import { shellText } from "../output/shell-text.ts";
import { liveServer } from "../server-pid.ts";
import { reporterOf } from "../session.ts";
import { stateDirOf } from "../target.ts";
import type { Verb } from "../verb.ts";
import { version } from "../version.ts";

interface Options {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export function define(command: Verb): void {
  command
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "only say what would be run")
    .addHelpText(
      "after",
      `
Says what it is about to run, asks, and lets the package manager that installed boxrun install its newest version. It never
becomes another user. A server that runs goes on with the version that it has until it is stopped.

Examples:
  $ boxrun upgrade --dry-run
  $ boxrun upgrade --yes && boxrun server stop
`,
    )
    .action((options: Options) => upgrade(command, options));
}

async function upgrade(command: Verb, { yes, dryRun }: Options): Promise<void> {
  const reporter = reporterOf(command);
  const installation = thisInstallation();
  if (installation.kind !== "package") {
    const { how, why } = byHand(installation);
    return reporter.result(
      { from: version, command: how, ran: false },
      () => `${why}. For the newest one:\n  ${how}\n`,
    );
  }
  const { dir, upgrade: run, cwd } = installation;
  if (dryRun) {
    return reporter.result(
      { from: version, command: shellText(run), ran: false },
      () => `Would run: ${shellText(run)}\n`,
    );
  }
  using interrupts = listenForInterrupts();
  const { signal } = interrupts;
  requireOwnership(installation, run);
  if (!yes && !(await confirm(`This is boxrun ${version}. Run \`${shellText(run)}\`?`, signal))) {
    return reporter.result({ from: version, command: shellText(run), ran: false }, () => "Nothing was done.\n");
  }
  if (yes) reporter.note(`Running ${shellText(run)}`, { command: run });
  try {
    await runManager(run, cwd, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new CommandFailure("upgrade", error);
  }
  const now = installedVersion(dir);
  const server = liveServer(stateDirOf(process.env));
  if (server !== undefined && server.version !== now) {
    reporter.note(
      `The server (pid ${server.pid}) still is ${server.version ?? version}: stop it with \`boxrun server stop\`, and the next command starts the new one. Boxes run on.`,
      { server_pid: server.pid, server_version: server.version ?? null },
    );
  }
  await reporter.result({ from: version, to: now, command: shellText(run), ran: true }, () =>
    now === version ? `boxrun ${version} is the newest.\n` : `boxrun ${version} → ${now}\n`,
  );
}

/** What is to be typed where no package manager can be asked for the newest version. */
function byHand(installation: Exclude<Installation, { kind: "package" }>): {
  readonly how: string;
  readonly why: string;
} {
  switch (installation.kind) {
    case "npx":
      return { why: "npx fetched this boxrun for one call", how: "npx boxrun@latest" };
    case "checkout":
      return {
        why: "This boxrun runs from a checkout",
        how: `cd ${shellText([installation.dir])} && git pull && npm ci`,
      };
    case "archive":
      return { why: "This boxrun came as an archive; get the newest one and its install.sh", how: "sh install.sh" };
    case "deb":
      return {
        why: "This boxrun came as a Debian package; get the newest one",
        how: "sudo apt-get install ./boxrun_*_amd64.deb",
      };
  }
}
