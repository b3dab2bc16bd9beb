import { CommandFailure } from "../../failure.ts";
import { listenForInterrupts } from "../../interrupts.ts";
import { shellText } from "../../output/shell-text.ts";
import { ownServer } from "../../own-server.ts";
import { installService, requireRootFor, unitFile, unitOf } from "../../service/service.ts";
import { system, unitName } from "../../service/unit.ts";
import { reporterOf } from "../../session.ts";
import { stopServer } from "../../stop-server.ts";
import type { Verb } from "../../verb.ts";

interface Options {
  readonly system?: boolean;
  readonly dryRun?: boolean;
}

export function define(command: Verb): void {
  command
    .option("--system", "for the whole host: a user of its own, boxes in /var/lib/boxrun; by root")
    .option("--dry-run", "only show the unit")
    .addHelpText(
      "after",
      `
Writes a unit of systemd's, and starts the server with it, now and whenever this host boots; its log goes to the journal. A server that
the command has started before is stopped first; boxes run on, also when the service is stopped or restarted.

Examples:
  $ boxrun server install
  $ boxrun server install --dry-run
  $ boxrun server install --system
`,
    )
    .action((options: Options) => install(command, options));
}

async function install(command: Verb, options: Options): Promise<void> {
  const target = ownServer(command, "server install");
  const reporter = reporterOf(command);
  const { env } = process;
  const scope = options.system ? "system" : "user";
  const unit = unitFile(scope, env);
  if (options.dryRun) {
    const text = unitOf(scope, env);
    return reporter.result({ unit, text, installed: false }, () => `# ${unit}\n${text}`);
  }
  requireRootFor(scope, "server install");
  using interrupts = listenForInterrupts();
  const { signal } = interrupts;
  try {
    // Of two servers of one state directory the second would not start.
    if (scope === "user") await stopServer(target, { boxes: "leave", reporter, signal });
    await installService(scope, env, signal);
    const systemctl = shellText(["systemctl", ...(scope === "user" ? ["--user"] : []), "status", unitName]);
    await reporter.result(
      { unit, installed: true },
      () => `${unit} is installed and started; \`${systemctl}\` shows it.\n`,
    );
    const hint =
      scope === "user"
        ? "It starts when you log in; `loginctl enable-linger` lets it start with the host."
        : `Users of this host reach it with the token in ${system.environmentFile}: \`boxrun context add host --host http://127.0.0.1:9090 --token-stdin\`.`;
    reporter.note(hint, { unit });
  } catch (error) {
    signal.throwIfAborted();
    throw new CommandFailure("server install", error);
  }
}
