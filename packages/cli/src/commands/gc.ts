import type { Box } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import { confirm } from "../confirm.ts";
import { boxListing } from "../listings/boxes.ts";
import { listTable } from "../output/format.ts";
import { masked } from "../output/masked.ts";
import { note } from "../output/streams.ts";
import { bytes } from "../output/text.ts";
import { type Session, withServer } from "../session.ts";
import { secondsFromZero } from "../units.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly olderThan?: number;
  readonly outputOlderThan?: number;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const defaultSeconds = 3600;

export function define(command: Verb): void {
  command
    .option("--older-than <time>", "how long a box must have been stopped: 90s, 5m, 1h (default: 1h)", secondsFromZero)
    .option("--output-older-than <time>", "give up the output of programs that ended longer ago", secondsFromZero)
    .option("--dry-run", "only list what would be removed")
    .option("-y, --yes", "go on without asking")
    .addHelpText(
      "after",
      `
Removes boxes that were stopped for so long, with their disks and the output of their execs. On a terminal it lists them and asks first; a script, where there
is none to ask on, is taken at its word. Prints what it has removed.

Output that is given up shows as missing in \`boxrun logs\`. \`boxrun df\` says what takes how much.

Examples:
  $ boxrun gc --dry-run
  $ boxrun gc --older-than 2h --yes
  $ boxrun gc --output-older-than 7d
`,
    )
    .action((options: Options) => withServer(command, "gc", (session) => collect(session, options)));
}

async function collect(
  session: Session,
  { olderThan = defaultSeconds, outputOlderThan, dryRun, yes }: Options,
): Promise<void> {
  const { client, reporter, signal } = session;
  const before = Date.now() - olderThan * 1000;
  const boxes = (await client.boxes.list({ status: "stopped", signal })).filter(
    (box) => Date.parse(box.stopped_at ?? box.created_at) <= before,
  );
  if (dryRun) return reporter.result(boxes.map(masked), () => listTable(boxListing, boxes));
  if (boxes.length > 0 && !yes && !reporter.json && process.stdin.isTTY && process.stderr.isTTY) {
    note(listTable(boxListing, boxes));
    const question =
      boxes.length === 1
        ? "Remove this box with all that is in it?"
        : `Remove these ${boxes.length} boxes with all that is in them?`;
    if (!(await confirm(question, signal))) return reporter.result({ removed: 0 }, () => "Nothing was removed\n");
  }
  const removed: Box[] = [];
  for (const box of boxes) {
    signal.throwIfAborted();
    if (await removeStopped(session, box)) removed.push(box);
  }
  // The server's own gc for the rest: of the boxes there is nothing left to do for it.
  const outputBytes =
    outputOlderThan === undefined
      ? undefined
      : (await client.collect({ older_than: olderThan, output_older_than: outputOlderThan }, { signal })).output_bytes;
  const { length } = removed;
  const names = removed.map(({ id, name }) => `${name ?? id}\n`).join("");
  const result = {
    removed: length,
    boxes: removed.map(({ id }) => id),
    ...(outputBytes === undefined ? {} : { output_bytes: outputBytes }),
  };
  await reporter.result(result, () => {
    const output = outputBytes === undefined ? "" : `, gave up ${bytes(outputBytes)} of output`;
    return `${names}Removed ${length} ${length === 1 ? "box" : "boxes"}${output}\n`;
  });
}

/** Whether it is gone: one that was started or removed in the meantime is left alone. */
async function removeStopped({ client, signal }: Session, { id }: Box): Promise<boolean> {
  try {
    await client.boxes.remove(id, { signal });
    return true;
  } catch (error) {
    if (error instanceof BoxRunError && ["BOX_ALREADY_RUNNING", "BOX_NOT_FOUND"].includes(error.code)) return false;
    throw error;
  }
}
