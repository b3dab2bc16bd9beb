import type { ExecInput } from "@boxrun/contract";
import type { BodySource } from "../body.ts";
import { type CamelCased, wireNames } from "../camel-case.ts";
import { ClientError, CommandFailed } from "../errors.ts";
import type { Execs } from "../execs.ts";
import type { RepeatableOptions } from "../repeat.ts";
import { ExecStream, isOver } from "./exec-stream.ts";
import { CollectedOutput, type ExecEnd, type ExecResult } from "./output.ts";

type PlainInput = Omit<ExecInput, "cmd" | "stdin" | "tty" | "secret_env">;

type ExecFields = CamelCased<PlainInput> & {
  /** Which variables of `env` are shown as `***`. */
  readonly secretEnv?: readonly string[] | null | undefined;
};

/** Aborting `signal` gives the call up and ends the command. */
export type ExecOptions = RepeatableOptions &
  ExecFields & {
    /** All of the command's standard input. Default: it is empty. */
    readonly stdin?: BodySource | undefined;
    /** A command that does not succeed is a CommandFailed. Default: it is a result. */
    readonly check?: boolean | undefined;
  };

/** Aborting `signal` gives the call up and ends the command. */
export type ExecStreamOptions = RepeatableOptions &
  ExecFields & {
    /** Its standard input stays open, for `stdin` of the stream. Default: it is empty. */
    readonly stdin?: boolean | undefined;
    /** Run it in a terminal of this size (`true`: 80 × 24); all output is then stdout. */
    readonly tty?: ExecInput["tty"];
  };

export function openStream(
  execs: Execs,
  box: string,
  cmd: readonly string[],
  { signal, idempotencyKey, stdin, tty, secretEnv, ...fields }: ExecStreamOptions,
): ExecStream {
  if (!Array.isArray(cmd)) {
    throw new TypeError('cmd is a list of strings, not one string: ["ls", "-l"], or shell("ls -l")');
  }
  const input: ExecInput = {
    ...wireNames<PlainInput>(fields),
    cmd: [...cmd],
    ...(secretEnv && { secret_env: [...secretEnv] }),
    ...(stdin !== undefined && { stdin }),
    ...(tty !== undefined && { tty }),
  };
  return new ExecStream(execs, execs.follow(box, input, { signal, idempotencyKey }), signal);
}

export async function runToEnd(
  execs: Execs,
  box: string,
  cmd: readonly string[],
  { stdin, check = false, ...options }: ExecOptions,
): Promise<ExecResult> {
  const stream = openStream(execs, box, cmd, { ...options, ...(stdin !== undefined && { stdin: true }) });
  const feeding = new AbortController();
  const feeder = stdin === undefined ? undefined : feed(execs, stream, stdin, feeding.signal);
  try {
    // What fails first is what is told: a source of input that breaks leaves a command that waits for it.
    const result = await (feeder === undefined ? collect(stream) : firstFailure(collect(stream), feeder));
    if (check && !result.ok) throw new CommandFailed(cmd, result);
    return result;
  } catch (error) {
    if (!(error instanceof CommandFailed)) await stream[Symbol.asyncDispose]();
    throw error;
  } finally {
    feeding.abort();
  }
}

async function firstFailure(collected: Promise<ExecResult>, feeder: Promise<void>): Promise<ExecResult> {
  const failed = new Promise<never>((_, reject) => feeder.catch(reject));
  return await Promise.race([collected, failed]);
}

/** A command may end without having read all that there is, or anything. */
async function feed(execs: Execs, stream: ExecStream, content: BodySource, signal: AbortSignal): Promise<void> {
  const { box_id, id } = await stream.started;
  try {
    await execs.stdin(box_id, id, content, { eof: true, signal });
  } catch (error) {
    if (!signal.aborted && !isOver(error)) throw error;
  }
}

async function collect(stream: ExecStream): Promise<ExecResult> {
  const output = new CollectedOutput();
  let end: ExecEnd | undefined;
  for await (const event of stream) {
    if (event.type === "exit") end = event;
    else output.add(event);
  }
  const { id } = await stream.started;
  if (end === undefined) throw new ClientError("INVALID_ANSWER", `The events of ${id} have no exit`);
  return output.result(id, end);
}
