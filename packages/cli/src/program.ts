import { CommanderError } from "commander";
import { exitCodes } from "./exit-codes.ts";
import { CliError, ReportedFailure } from "./failure.ts";
import { minWidthToWrap } from "./help-text.ts";
import { Interrupted } from "./interrupts.ts";
import { tellUncaughtErrors } from "./last-resort.ts";
import { BrokenPipe, print } from "./output/streams.ts";
import { printable } from "./output/text.ts";
import { Reporter } from "./reporter.ts";
import { Verb } from "./verb.ts";
import { addVerbs, type VerbEntry } from "./verbs.ts";
import { version } from "./version.ts";

const verbs: readonly VerbEntry[] = [
  { name: "create", summary: "make a box and boot it", load: () => import("./commands/create.ts") },
  { name: "ls", summary: "list boxes", load: () => import("./commands/ls.ts") },
  { name: "inspect", summary: "show all about boxes", load: () => import("./commands/inspect.ts") },
  { name: "start", summary: "boot stopped boxes again", load: () => import("./commands/start.ts") },
  { name: "stop", summary: "shut boxes down; their disks are kept", load: () => import("./commands/stop.ts") },
  { name: "rm", summary: "remove boxes with their disks", load: () => import("./commands/rm.ts") },
  { name: "commit", summary: "make an image of a stopped box", load: () => import("./commands/commit.ts") },
  { name: "extend", summary: "set when a box expires", load: () => import("./commands/extend.ts") },
  { name: "exec", summary: "run a program in a box", load: () => import("./commands/exec.ts") },
  { name: "ps", summary: "list the programs that run in a box", load: () => import("./commands/ps.ts") },
  { name: "stats", summary: "show what boxes use", load: () => import("./commands/stats.ts") },
  { name: "history", summary: "show what was done, and by whom", load: () => import("./commands/history.ts") },
  { name: "logs", summary: "print what a program has written", load: () => import("./commands/logs.ts") },
  { name: "kill", summary: "end programs in a box, or send them a signal", load: () => import("./commands/kill.ts") },
  { name: "wait", summary: "wait until programs have ended", load: () => import("./commands/wait.ts") },
  { name: "run", summary: "run a program in a box of its own", load: () => import("./commands/run.ts") },
  { name: "shell", summary: "make a box and open a shell in it", load: () => import("./commands/shell.ts") },
  { name: "attach", summary: "open a shell in a box, or come back to one", load: () => import("./commands/attach.ts") },
  { name: "sessions", summary: "list and end shells that run on", load: () => import("./commands/sessions.ts") },
  { name: "ports", summary: "list what listens in a box", load: () => import("./commands/ports.ts") },
  { name: "forward", summary: "reach ports of a box from this host", load: () => import("./commands/forward.ts") },
  { name: "watch", summary: "print what happens to files of a box", load: () => import("./commands/watch.ts") },
  { name: "cp", summary: "copy files to, from and between boxes", load: () => import("./commands/cp.ts") },
  {
    name: "images",
    summary: "list, pull, import, build and remove images",
    load: () => import("./commands/images.ts"),
  },
  {
    name: "pull",
    summary: "fetch an image: `images pull`",
    load: () => import("./commands/images/pull.ts"),
    hidden: true,
  },
  { name: "gc", summary: "remove boxes that were stopped long ago", load: () => import("./commands/gc.ts") },
  { name: "df", summary: "show what takes how much of the disk", load: () => import("./commands/df.ts") },
  {
    name: "recover",
    summary: "take in or remove boxes that the database does not know",
    load: () => import("./commands/recover.ts"),
  },
  { name: "ui", summary: "open the dashboard in your browser", load: () => import("./commands/ui.ts") },
  { name: "info", summary: "show the server, its engine and its limits", load: () => import("./commands/info.ts") },
  { name: "doctor", summary: "check this host and say what to do", load: () => import("./commands/doctor.ts") },
  {
    name: "setup",
    summary: "install the programs that boxes need",
    load: () => import("./commands/setup.ts"),
    withoutServer: true,
  },
  {
    name: "serve",
    summary: "run the server in the foreground",
    load: () => import("./commands/serve.ts"),
    withoutServer: true,
  },
  {
    name: "mcp",
    summary: "give an agent boxes as tools, over the Model Context Protocol",
    load: () => import("./commands/mcp.ts"),
  },
  { name: "server", summary: "start, stop and look at your server", load: () => import("./commands/server.ts") },
  {
    name: "context",
    summary: "keep the addresses of several servers",
    load: () => import("./commands/context.ts"),
    withoutServer: true,
  },
  {
    name: "completion",
    summary: "print what makes Tab complete in your shell",
    load: () => import("./commands/completion.ts"),
    withoutServer: true,
  },
  {
    name: "upgrade",
    summary: "install the newest boxrun",
    load: () => import("./commands/upgrade.ts"),
    withoutServer: true,
  },
  {
    name: "uninstall",
    summary: "take boxrun off this host",
    load: () => import("./commands/uninstall.ts"),
    withoutServer: true,
  },
];

const footer = `
The first command starts the server in the background; its socket, log and boxes are in ~/.boxrun.

Environment:
  BOXRUN_STATE_DIR   another place for them
  BOXRUN_SOCKET      another socket
  BOXRUN_HOST        a server elsewhere: unix:///path, http://HOST:PORT or https://HOST
  BOXRUN_TOKEN       its token
  BOXRUN_CONTEXT     a server that \`boxrun context\` knows
  NO_COLOR           no colours

Exit codes: exec, run, shell and attach pass on the program's; 125 is a failure of BoxRun, 2 a wrong argument, 130 Ctrl-C.

Examples:
  $ boxrun run base -- echo hello
  $ boxrun create base --name dev && boxrun exec dev -- uname -a
  $ boxrun cp ./src dev:/root/src
  $ boxrun attach dev
`;

export async function runProgram(argv: readonly string[]): Promise<void> {
  // Before anything is parsed, so that a wrong argument is told as it was asked for.
  const wantsJson = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : undefined).includes("--json");
  const reporter = new Reporter(wantsJson);
  const uncaught = tellUncaughtErrors(wantsJson);
  const help: string[] = [];
  const program = createProgram(wantsJson, (text) => help.push(text));
  program.hook("preAction", (_, verb) => {
    if (verb.name() === "serve") uncaught[Symbol.dispose]();
  });
  try {
    await program.parseAsync(helpLast(argv), { from: "user" }).catch((error: unknown) => {
      if (error instanceof CommanderError && error.exitCode === 0) return print(help.join(""));
      throw error;
    });
  } catch (error) {
    endWith(error, reporter);
  }
}

const helpHint = "add --help to see what there is.";

/** Tells what went wrong, where that was not done yet, and sets the exit code. */
export function endWith(error: unknown, reporter: Reporter = new Reporter(false)): void {
  process.exitCode = exitCodeOf(error, reporter);
}

/** All verbs, their files not loaded yet. `showHelp` is given a help that is asked for, or the version. */
export function createProgram(wantsJson: boolean, showHelp: (text: string) => void = () => undefined): Verb {
  const program = new Verb("boxrun");
  program
    .description("Real Linux microVMs behind one small server.")
    .usage("[options] <command>")
    .version(version)
    .option("--host <address>", "talk to this server (default: BOXRUN_HOST, else your own on its Unix socket)")
    .option("--context <name>", "talk to the server of this context (default: BOXRUN_CONTEXT, else the current one)")
    .option("--json", "answer in JSON")
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError(`Hint: ${helpHint}`)
    .configureHelp({ subcommandTerm: (verb) => verb.name(), showGlobalOptions: false, minWidthToWrap })
    .configureOutput({
      writeOut: showHelp,
      outputError: (text, write) => {
        if (!wantsJson) write(printable(text).replace(/^error: /, "Error: "));
      },
      // The hint behind it.
      writeErr: (text) => void (wantsJson || process.stderr.write(text)),
    })
    .addHelpText("after", footer);
  addVerbs(program, verbs);
  return program;
}

/** `help VERB` as `VERB --help`: the verb's options are not loaded before it is called. */
function helpLast(argv: readonly string[]): string[] {
  const [first, ...rest] = argv;
  return first === "help" ? [...rest, "--help"] : [...argv];
}

function exitCodeOf(error: unknown, reporter: Reporter): number {
  if (error instanceof CommanderError) {
    // People have been shown the help by then.
    const message = error.code === "commander.help" ? "There is no command" : error.message.replace(/^error: /, "");
    if (reporter.json) reporter.failure(new CliError("USAGE", message, helpHint));
    return exitCodes.usage;
  }
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof BrokenPipe) return exitCodes.brokenPipe;
  if (error instanceof ReportedFailure) return exitCodes.failure;
  reporter.failure(error);
  return error instanceof CliError && error.code === "USAGE" ? exitCodes.usage : exitCodes.failure;
}
