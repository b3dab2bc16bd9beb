import { BoxRunError, type FileChange } from "@boxrun/contract";
import type { WatchOptions } from "@boxrun/core";
import { Body } from "./body.ts";
import { fromAgent } from "./errors.ts";
import type { AgentLine } from "./line.ts";
import { type AgentChange, changeSchema } from "./messages.ts";
import { lost, openAnswerInTime } from "./requests.ts";
import { turns } from "./turns.ts";
import { WireViolation } from "./violation.ts";

/** A change has two paths of at most 4096 bytes, each of which JSON may write as six characters. */
const lineLimitBytes = 64 * 1024;
/** Taking in a large tree on a slow disk. */
const openLimitMs = 120_000;

const codes = { NOT_FOUND: "FILE_NOT_FOUND", BAD_REQUEST: "VALIDATION_ERROR" } as const;

/** Resolves once the box watches. What is not taken waits in the box: its kernel's queue is bounded, and what passes it is an `overflow`. */
export async function watchFiles(
  line: AgentLine,
  boxId: string,
  path: string,
  { recursive, signal }: WatchOptions,
): Promise<AsyncGenerator<readonly FileChange[], void>> {
  const what = `watch ${path} in box ${boxId}`;
  if (!path.isWellFormed()) throw new BoxRunError("VALIDATION_ERROR", "the path is not well-formed Unicode");
  const request = `/watch?path=${encodeURIComponent(path)}${recursive ? "&recursive=1" : ""}`;
  try {
    const { stream } = await openAnswerInTime(line, "GET", request, {
      kind: "watch",
      endStream: true,
      signal,
      limitMs: openLimitMs,
    });
    const fail = (cause: unknown) => fromAgent(what, signal.aborted ? signal.reason : lost(line, stream, cause));
    return changesIn(new Body(stream, { length: undefined, untilClosed: true, fail }), path, what, signal);
  } catch (error) {
    throw fromAgent(what, error, codes);
  }
}

async function* changesIn(body: Body, path: string, what: string, signal: AbortSignal) {
  const giveUp = () => body.destroy(fromAgent(what, signal.reason));
  signal.addEventListener("abort", giveUp);
  if (signal.aborted) giveUp();
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, chunk]);
      const batch: FileChange[] = [];
      let begin = 0;
      for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a, begin)) {
        if (!turns.take(1)) await turns.taken(1);
        batch.push(parseChange(rest.toString("utf8", begin, end), path));
        begin = end + 1;
      }
      rest = rest.subarray(begin);
      if (rest.length > lineLimitBytes) throw new WireViolation("a change of a file that is too long");
      if (batch.length > 0) yield batch;
    }
    if (rest.length > 0) throw new WireViolation("a change of a file that is not complete");
  } catch (error) {
    throw fromAgent(what, error);
  } finally {
    signal.removeEventListener("abort", giveUp);
    body.destroy();
  }
}

function parseChange(text: string, base: string): FileChange {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new WireViolation("a change of a file that is not JSON");
  }
  const parsed = changeSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new WireViolation(`a change of a file: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`);
  }
  const { event, dir = false, reason = "", name, name_b64, from, from_b64 } = parsed.data;
  if (event === "overflow") return { event, reason };
  const path = below(base, name, name_b64);
  if (event === "renamed") return { event, path, from: below(base, from, from_b64), is_dir: dir };
  return { event, path, is_dir: dir };
}

/** What no path below `base` has in it would lead whoever acts on it to another place. */
function below(base: string, text: AgentChange["name"], bytes: AgentChange["name_b64"]): string {
  const name = text ?? bytes?.toString("utf8");
  if (name === "") return base;
  if (name === undefined || name.includes("\0") || name.split("/").some((part) => ["", ".", ".."].includes(part))) {
    throw new WireViolation("a change of a file whose name is none");
  }
  return `${base.replace(/\/+$/, "")}/${name}`;
}
