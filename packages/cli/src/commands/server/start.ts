import { hasListener, openClient } from "../../connect.ts";
import { CommandFailure } from "../../failure.ts";
import { listenForInterrupts } from "../../interrupts.ts";
import { ownServer } from "../../own-server.ts";
import { liveServer } from "../../server-pid.ts";
import { reporterOf } from "../../session.ts";
import { addressOf } from "../../target.ts";
import type { Verb } from "../../verb.ts";

export function define(command: Verb): void {
  command
    .addHelpText(
      "after",
      `
One that runs already is left as it is. \`boxrun serve\` runs it in the foreground, with settings of its own.

Examples:
  $ boxrun server start
  $ BOXRUN_PORT=9191 boxrun server start
`,
    )
    .action(() => start(command));
}

async function start(command: Verb): Promise<void> {
  const target = ownServer(command, "server start");
  const reporter = reporterOf(command);
  using interrupts = listenForInterrupts();
  const { signal } = interrupts;
  const { socketPath, stateDir } = target;
  await using client = await openClient(target);
  const wasThere = await hasListener(socketPath);
  try {
    if (!wasThere) {
      const { startServer } = await import("../../start-server.ts");
      await startServer({ client, socketPath, stateDir, reporter, signal, env: process.env });
    }
    const { version } = await client.health({ signal });
    const server = liveServer(stateDir);
    const result = {
      started: !wasThere,
      pid: server?.pid ?? null,
      version,
      socket: socketPath,
      tcp: server?.tcp ?? null,
    };
    const addresses = [addressOf(target), ...(result.tcp === null ? [] : [`http://${result.tcp}`])].join(" and ");
    const pid = result.pid === null ? "" : ` (pid ${result.pid})`;
    await reporter.result(
      result,
      () => `BoxRun ${version} ${wasThere ? "runs already" : "serves"} on ${addresses}${pid}\n`,
    );
  } catch (error) {
    signal.throwIfAborted();
    throw new CommandFailure("server start", error);
  }
}
