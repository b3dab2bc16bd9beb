import type { Exec } from "@boxrun/contract";
import { chosenExec } from "../exec-choice.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailure } from "../failure.ts";
import { masked } from "../output/masked.ts";
import { type Session, withServer } from "../session.ts";
import { stateChanges } from "../state-changes.ts";
import type { Verb } from "../verb.ts";

/** How often a lost server is tried again: about 20 s, enough for a restart. */
const maxAttempts = 12;

export function define(command: Verb): void {
  command
    .argument("<box>", "name or id")
    .argument("[exec...]", "ids (default: the box's latest exec)")
    .addHelpText(
      "after",
      `
Waits until programs have ended and exits with the program's exit code: of several with that of the first one, in the order in
which they are given, that has failed, else 0. Prints nothing; with --json the execs.

Examples:
  $ boxrun wait dev
  $ id=$(boxrun exec -d dev -- make test); boxrun wait dev $id && echo passed
  $ boxrun wait dev $(boxrun ps -q dev)
`,
    )
    .action((box: string, ids: string[]) =>
      withServer(command, `wait for ${box}`, async (session) => {
        const chosen = ids.length === 0 ? [await chosenExec(session, box, undefined)] : undefined;
        const execs = await ended(session, box, chosen?.map(({ id }) => id) ?? ids);
        await session.reporter.result(execs.map(masked), () => "");
        const failed = execs.find(({ exit_code }) => exit_code !== 0);
        if (failed !== undefined) process.exitCode = exitCodeOf(session, failed);
      }),
    );
}

/** The execs once all of them have ended, in the order of their ids. */
async function ended(session: Session, box: string, ids: readonly string[]): Promise<Exec[]> {
  const { client, signal } = session;
  const found = new Map<string, Exec>();
  const idOf = new Map<string, string>();
  const read = async () => {
    const execs = await Promise.all(ids.map((id) => client.execs.get(box, idOf.get(id) ?? id, { signal })));
    for (const [n, exec] of execs.entries()) {
      found.set(exec.id, exec);
      // What was typed may be the beginning of an id, which another exec's may come to share.
      idOf.set(ids[n] ?? "", exec.id);
    }
  };
  for await (const change of stateChanges(session)) {
    if (change.event === "lost" && change.attempts > maxAttempts) throw change.error;
    if (change.event === "connected") await read();
    else if (change.event === "exec" && found.has(change.data.id)) found.set(change.data.id, change.data);
    // Its execs are gone with a box: the server says so in its own words.
    else if (change.event === "box_removed" && [...found.values()].some(({ box_id }) => box_id === change.data.id)) {
      await read();
    }
    const execs = ids.flatMap((id) => found.get(idOf.get(id) ?? "") ?? []);
    if (execs.length === ids.length && execs.every(({ status }) => status !== "running")) return execs;
  }
  throw signal.reason;
}

/** The program's own, or ours where it has none, said why. */
function exitCodeOf({ reporter }: Session, { id, exit_code, error_message }: Exec): number {
  if (exit_code !== null) return exit_code;
  if (!reporter.json) reporter.failure(new CommandFailure(id, error_message ?? "it has no exit code"));
  return exitCodes.failure;
}
