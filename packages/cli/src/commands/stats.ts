import { setTimeout as sleep } from "node:timers/promises";
import type { Box } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import { type StatsRow, statsListing } from "../listings/stats.ts";
import { addListOptions, listPrinter } from "../output/format.ts";
import { hideLive } from "../output/live-area.ts";
import { table } from "../output/table.ts";
import { oneLine, styled } from "../output/text.ts";
import { forEachNamed, type Session, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";
import { LiveScreen } from "../watch/live-screen.ts";

interface Options {
  /** `false`: `--no-stream`. */
  readonly stream: boolean;
  readonly format?: string;
  readonly quiet?: boolean;
}

/** Between two readings on the screen, and how many boxes are asked at once. */
const refreshMs = 2_000;
const atOnce = 16;

export function define(command: Verb): void {
  addListOptions(
    command
      .argument("[box...]", "names or ids; without any, all that run")
      .completes("box:stop")
      .option("--no-stream", "one reading, also on a terminal"),
  )
    .addHelpText(
      "after",
      `
On a terminal the table is drawn anew every two seconds, until Ctrl-C; on a pipe, and with --json or another format, there is one reading.

CPU, memory, disk, network and processes are what the box itself sees; 100 % is one CPU, wholly. HOST is what its processes on the host take: with QEMU's
emulation that is more than the box gets out of it. A box that does not answer has that alone.

Examples:
  $ boxrun stats
  $ boxrun stats dev
  $ boxrun stats --no-stream
  $ boxrun stats dev --json | jq '.[0].memory_bytes'
  $ boxrun stats --format '{{.name}} {{.cpu_percent}}'
`,
    )
    .action((names: string[], options: Options) => {
      const printStats = listPrinter(command, statsListing);
      return withServer(command, "stats", async (session) => {
        const asTable = !session.reporter.json && options.format === undefined && options.quiet !== true;
        if (process.stdout.isTTY && options.stream && asTable) return watch(session, names);
        if (names.length === 0) return printStats(await readAll(session, await running(session)));
        const read = async (name: string) =>
          rowOf(session, await session.client.boxes.get(name, { signal: session.signal }));
        await forEachNamed(session, "stats", names, read, () => "", printStats);
      });
    });
}

function running({ client, signal }: Session): Promise<Box[]> {
  return client.boxes.list({ status: "running", signal });
}

async function rowOf({ client, signal }: Session, { id, name }: Box): Promise<StatsRow> {
  return { ...(await client.stats.get(id, { signal })), name };
}

/** Of those that still run. */
async function readAll(session: Session, boxes: readonly Box[]): Promise<StatsRow[]> {
  const rows: (StatsRow | undefined)[] = [];
  for (let from = 0; from < boxes.length; from += atOnce) {
    rows.push(...(await Promise.all(boxes.slice(from, from + atOnce).map((box) => rowIfRunning(session, box)))));
  }
  return rows.filter((row) => row !== undefined);
}

async function rowIfRunning(session: Session, box: Box): Promise<StatsRow | undefined> {
  try {
    return await rowOf(session, box);
  } catch (error) {
    if (error instanceof BoxRunError && ["BOX_NOT_RUNNING", "BOX_NOT_FOUND"].includes(error.code)) return undefined;
    throw error;
  }
}

/** Until the session's signal aborts. */
async function watch(session: Session, names: readonly string[]): Promise<void> {
  const { client, signal } = session;
  // What was mistyped is told before the screen is taken.
  const named = await Promise.all(names.map((name) => client.boxes.get(name, { signal })));
  let rows: readonly StatsRow[] = [];
  let trouble: string | undefined;
  hideLive();
  using screen = new LiveScreen(({ columns }) => {
    const shown = table(statsListing.columns, rows, columns);
    return trouble === undefined ? shown : `${styled("yellow", trouble)}\n${shown}`;
  });
  for (;;) {
    try {
      rows = await readAll(session, names.length === 0 ? await running(session) : named);
      trouble = undefined;
    } catch (error) {
      signal.throwIfAborted();
      trouble = `${oneLine(error instanceof Error ? error.message : String(error))} Trying again…`;
    }
    screen.redraw();
    await sleep(refreshMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
