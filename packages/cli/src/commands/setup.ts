import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import {
  installationOf,
  isKnownHost,
  locateTool,
  noBoxesOn,
  type ProgramName,
  packageOf,
  programNames,
  programOf,
  thisDistribution,
} from "@boxrun/host";
import { CliError, CommandFailure } from "../failure.ts";
import { bootFirstVm } from "../first-vm.ts";
import { runManager } from "../installation.ts";
import { listenForInterrupts } from "../interrupts.ts";
import { shellText } from "../output/shell-text.ts";
import { printable } from "../output/text.ts";
import { reporterOf } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly yes?: boolean;
}

type FirstVm = Awaited<ReturnType<typeof bootFirstVm>>;

/** Something is missing without which no box runs. */
const unready = 1;

export function define(command: Verb): void {
  command
    .option("-y, --yes", "install what is missing, as root or with sudo or doas")
    .addHelpText(
      "after",
      `
Says which of the programs that boxes need are not on this host, what each is for, and the command of this distribution that installs
them; with --yes it runs it. Exit code 1 if one is missing then without which no box runs, else 0: without skopeo nothing is
pulled, without passt and virtiofsd there are no boxes with --network and --volume, and all else works.
In the end it boots a first VM, in half a minute where there is no KVM, and keeps what boxes of the usual size start from in the cache
directory of the user who runs it: already the first one is there in a fraction of a second then.

Examples:
  $ boxrun setup
  $ boxrun setup --yes && boxrun run base -- echo hello
`,
    )
    .action((options: Options) => setUp(command, options));
}

interface Found {
  readonly program: ProgramName;
  readonly purpose: string;
  readonly needed: boolean;
  readonly path: string | null;
  /** The distribution's package that has it, where one is known. */
  readonly package: string | null;
}

async function setUp(command: Verb, { yes }: Options): Promise<void> {
  const reporter = reporterOf(command);
  using interrupts = listenForInterrupts();
  const { signal } = interrupts;
  if (!isKnownHost(process)) {
    throw new CliError("NOT_THIS_HOST", `setup: ${noBoxesOn(`${process.platform} on ${process.arch}`)}`);
  }
  const distribution = thisDistribution();
  const look = (): Found[] =>
    programNames.map((program) => {
      const { purpose, needed } = programOf(program);
      const place = { path: locateTool(program) ?? null, package: packageOf(program, distribution) ?? null };
      return { program, purpose, needed, ...place };
    });
  const before = look();
  const missing = before.filter(({ path }) => path === null).map(({ program }) => program);
  const installation = installationOf(missing, distribution);
  const becomesRoot = installation?.needsRoot === true && process.getuid?.() !== 0;
  const helper = becomesRoot ? rootHelpers.find(isOnPath) : undefined;
  const commands = (installation?.commands ?? []).map((words) => (helper === undefined ? words : [helper, ...words]));
  const line = commands.length === 0 ? null : commands.map(shellText).join(" && ");
  let found = before;
  if (yes && line !== null) {
    if (becomesRoot && helper === undefined) {
      throw new CliError(
        "INSTALL_FAILED",
        "setup: it takes root, and there is neither sudo nor doas here",
        `As root: ${line}`,
      );
    }
    await install(command, commands, signal);
    found = look();
  }
  const isUnready = found.some(({ path, needed }) => path === null && needed);
  const firstVm: FirstVm = isUnready
    ? { ready: false, why: "programs are missing without which no box runs" }
    : await bootFirstVm(reporter, signal);
  const result = { distribution: distribution.name, programs: found, command: line, ran: found !== before };
  await reporter.result({ ...result, first_vm: firstVm }, () => {
    const programs = report(result, becomesRoot && helper === undefined ? ", as root" : "");
    return `${programs}${firstVmText(firstVm)}`;
  });
  if (isUnready) process.exitCode = unready;
}

/** What runs a command as root; Alpine has the second. */
const rootHelpers = ["sudo", "doas"] as const;

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== "";
    } catch {
      return false;
    }
  });
}

async function install(command: Verb, commands: readonly (readonly string[])[], signal: AbortSignal): Promise<void> {
  try {
    for (const words of commands) {
      reporterOf(command).note(`Running ${shellText(words)}`, { command: words });
      await runManager(words, "/", signal);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new CommandFailure("setup", error);
  }
}

interface Result {
  readonly distribution: string;
  readonly programs: readonly Found[];
  readonly command: string | null;
  readonly ran: boolean;
}

function report({ distribution, programs, command, ran }: Result, asWhom: string): string {
  const missing = programs.filter(({ path }) => path === null);
  if (missing.length === 0) return "All programs that boxes need are here.\n";
  const lines = missing.map(({ program, purpose, needed, package: from }) => {
    const where = from === null ? `no package of ${distribution} is known to have it` : `package ${from}`;
    return `  ${program}: ${purpose}${needed ? "" : "; all else works without it"} (${where})\n`;
  });
  const advice =
    command === null
      ? "Look for packages that have them, and have them on PATH.\n"
      : `To install${asWhom}:\n  ${command}\n`;
  return `Missing on this host:\n${lines.join("")}${ran ? "They were not in what was installed.\n" : advice}`;
}

function firstVmText(firstVm: FirstVm): string {
  if (!firstVm.ready) return `No first VM was booted: ${printable(firstVm.why).replace(/\.$/, "")}.\n`;
  const boots = firstVm.made ? "A first VM was booted" : "A first VM has been booted before";
  return `${boots}: boxes of the usual size start in a fraction of a second.\n`;
}
