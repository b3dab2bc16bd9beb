import { CliError, CommandFailure } from "../../failure.ts";
import { listenForInterrupts } from "../../interrupts.ts";
import { ownServer } from "../../own-server.ts";
import { requireRootFor, uninstallService, unitFile } from "../../service/service.ts";
import { system } from "../../service/unit.ts";
import { reporterOf } from "../../session.ts";
import type { Verb } from "../../verb.ts";

interface Options {
  readonly system?: boolean;
  readonly purge?: boolean;
}

export function define(command: Verb): void {
  command
    .option("--system", "that of the whole host; by root")
    .option("--purge", "with --system: end its boxes, and remove them, its settings and its user, too")
    .addHelpText(
      "after",
      `
Stops the service and removes its unit. Boxes run on, and the next command starts a server that takes them over. Of a system service the user,
the boxes in /var/lib/boxrun, what was built for them in /var/cache/boxrun and the settings in /etc/boxrun stay, too, unless --purge removes them. What is a
user's own goes with \`boxrun uninstall --purge\`.

Examples:
  $ boxrun server uninstall
  $ boxrun server uninstall --system
  $ boxrun server uninstall --system --purge
`,
    )
    .action((options: Options) => uninstall(command, options));
}

async function uninstall(command: Verb, options: Options): Promise<void> {
  ownServer(command, "server uninstall");
  const reporter = reporterOf(command);
  const scope = options.system ? "system" : "user";
  const purge = options.purge ?? false;
  if (purge && scope === "user") {
    throw new CliError(
      "USAGE",
      "--purge goes with --system; what is a user's own goes with `boxrun uninstall --purge`",
    );
  }
  requireRootFor(scope, "server uninstall");
  const unit = unitFile(scope, process.env);
  using interrupts = listenForInterrupts();
  const { signal } = interrupts;
  try {
    const wasThere = await uninstallService(scope, { purge, env: process.env, signal });
    const left = scope === "user" ? "" : purge ? " So are its boxes." : ` ${system.stateDir} and its boxes stay.`;
    await reporter.result({ unit, removed: wasThere, purged: purge }, () =>
      wasThere ? `${unit} is removed.${left}\n` : `There is no ${unit}.\n`,
    );
  } catch (error) {
    signal.throwIfAborted();
    throw new CommandFailure("server uninstall", error);
  }
}
