import type { Box, BoxStatus } from "@boxrun/contract";
import { BoxRunError, type ErrorCode } from "@boxrun/contract/plain";
import { masked } from "./output/masked.ts";
import type { Reporter } from "./reporter.ts";
import type { Session } from "./session.ts";

/** A command over a list of boxes that came out empty, as `boxrun stop $(boxrun ls -q …)` does, is done. */
export async function noteNothing(reporter: Reporter, verb: string): Promise<void> {
  reporter.note(`Nothing to ${verb}: no box was named`, {});
  if (reporter.json) await reporter.result([], () => "");
}

/** The box, with a remark, if it is in the state already that was wanted; else what was thrown. */
export async function isDoneAlready(
  { client, reporter, signal }: Session,
  error: unknown,
  { box, code, status }: { readonly box: string; readonly code: ErrorCode; readonly status: BoxStatus },
): Promise<Box> {
  if (!(error instanceof BoxRunError) || error.code !== code) throw error;
  const found = await client.boxes.get(box, { signal });
  if (found.status !== status) throw error;
  reporter.note(`${box} is ${status} already`, { box_id: found.id });
  return masked(found);
}
