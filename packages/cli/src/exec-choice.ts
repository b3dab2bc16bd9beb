import type { Exec } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import { shellText } from "./output/shell-text.ts";
import type { Session } from "./session.ts";

interface Choice {
  /** Rather one that runs than one that is newer, and said which. */
  readonly prefersRunning?: boolean;
}

/** The exec that was named, else the box's latest. EXEC_NOT_FOUND. */
export async function chosenExec(
  { client, reporter, signal }: Session,
  box: string,
  id: string | undefined,
  { prefersRunning = false }: Choice = {},
): Promise<Exec> {
  if (id !== undefined) return client.execs.get(box, id, { signal });
  const execs = await client.execs.list(box, { signal });
  const [latest] = execs;
  if (latest === undefined) throw new BoxRunError("EXEC_NOT_FOUND", `${box} has run no program yet`);
  if (!prefersRunning) return latest;
  const running = execs.filter(({ status }) => status === "running");
  const [chosen = latest] = running;
  if (chosen !== latest || running.length > 1) {
    const others = running.length > 1 ? `; ${running.length - 1} more run: \`boxrun ps ${box}\`` : "";
    reporter.note(`Following ${chosen.id}: ${shellText(chosen.cmd)}${others}`, { exec_id: chosen.id });
  }
  return chosen;
}
