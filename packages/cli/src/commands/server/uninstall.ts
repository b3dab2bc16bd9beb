import { CommandFailure } from "../../failure.ts";
import { listenForInterrupts } from "../../interrupts.ts";
import { ownServer } from "../../own-server.ts";
import { requireRootFor, uninstallService, unitFile } from "../../service/service.ts";
import { system } from "../../service/unit.ts";
import { reporterOf } from "../../session.ts";
import type { Verb } from "../../verb.ts";

interface Options {
  readonly system?: boolean;
}

export function define(command: Verb): void {
  command
    .option("--system", "that of the whole host; by root")
    .addHelpText(
      "after",
      `
Stops the service and removes its unit. Boxes run on, and the next command starts a server that takes them over. Of a system service the user,
the boxes in /var/lib/boxrun and the settings in /etc/boxrun stay, too.

Examples:
  $ boxrun server uninstall
  $ boxrun server uninstall --system
`,
    )
    .action((options: Options) => uninstall(command, options));
}

async function uninstall(command: Verb, options: Options): Promise<void> {
  ownServer(command, "server uninstall");
  const reporter = reporterOf(command);
  const scope = options.system ? "system" : "user";
  requireRootFor(scope, "server uninstall");
  const unit = unitFile(scope, process.env);
  using interrupts = listenForInterrupts();
  const { signal } = interrupts;
  try {
    const wasThere = await uninstallService(scope, process.env, signal);
    const left = scope === "system" ? ` ${system.stateDir} and its boxes stay.` : "";
    await reporter.result({ unit, removed: wasThere }, () =>
      wasThere ? `${unit} is removed.${left}\n` : `There is no ${unit}.\n`,
    );
  } catch (error) {
    signal.throwIfAborted();
    throw new CommandFailure("server uninstall", error);
  }
}
