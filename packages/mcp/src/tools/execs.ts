import { BoxRunError, execStatuses, signalNames } from "@boxrun/contract/plain";
import type { BoxRunClient, Exec, ExecEvent, ExecInput } from "boxrun-sdk";
import { z } from "zod";
import { Excerpt } from "../output/excerpt.ts";
import { Passage } from "../output/passage.ts";
import { OutputText, type Stream } from "../output/read.ts";
import { telling } from "../progress.ts";
import { type Call, defineTool } from "../tool.ts";
import { box, command, execId, given, outputLimit, programFields, timeoutSeconds } from "./inputs.ts";
import { outputText } from "./texts.ts";

const execFields = {
  exec_id: z.string().describe("For exec_output and exec_kill."),
  box_id: z.string(),
  status: z.enum(execStatuses),
  exit_code: z.int().nullable(),
  error: z.string().nullable().describe("Why it could not be started, or did not come to its own end."),
};

function shown({ id, box_id, status, exit_code, error_message }: Exec) {
  return { exec_id: id, box_id, status, exit_code, error: error_message };
}

const endText = ({ status, exit_code, error_message, id }: Exec) => {
  const code = exit_code === null ? "" : `, exit code ${exit_code}`;
  return `${status}${code}${error_message === null ? "" : `, ${error_message}`}; exec ${id}`;
};

const exec = defineTool({
  name: "exec",
  title: "Run a command in a box",
  description:
    "Runs a command in a running box and waits for its end. A command that fails is a result, not an error: see exit_code. Of long output the middle is " +
    "left out, and exec_output gives the rest. Each call is a shell of its own: `cd` and variables do not last, files do. Standard input is empty unless " +
    "`stdin` is given. For servers and other programs that run on, and for what takes many minutes: exec_start.",
  input: z.strictObject({
    box,
    command,
    stdin: z.string().optional().describe("What it reads from standard input."),
    ...programFields,
    timeout_seconds: timeoutSeconds(300),
    output_limit: outputLimit,
  }),
  output: z.object({
    ...execFields,
    stdout: z.string(),
    stderr: z.string(),
    truncated: z.boolean().describe("The middle of the output is missing here; exec_output has it."),
    stdout_length: z.int().describe("Of all of it, in characters."),
    stderr_length: z.int(),
  }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  work: async ({ box, output_limit, stdin, ...program }, call) => {
    const excerpts = { stdout: new Excerpt(output_limit), stderr: new Excerpt(output_limit) };
    const output = new OutputText(excerpts);
    using _ = telling(
      call.progress,
      () => `The command runs, ${excerpts.stdout.length + excerpts.stderr.length} characters of output`,
    );
    const input = { ...execInput(program), ...(stdin === undefined ? {} : { stdin: true }) };
    const ended = await runToItsEnd(call, { box, input, stdin, take: (event) => output.add(event) });
    output.end();
    const excerptOf = (stream: Stream) =>
      excerpts[stream].text(
        ({ from, length }) =>
          `[… ${length} characters of ${stream} are left out here: exec_output with exec_id ${ended.id}, stream ${stream}, offset ${from} …]`,
      );
    const { stdout, stderr } = excerpts;
    const texts = { stdout: excerptOf("stdout"), stderr: excerptOf("stderr") };
    return {
      text: outputText(endText(ended), texts),
      structured: {
        ...shown(ended),
        ...texts,
        truncated: stdout.gap !== undefined || stderr.gap !== undefined,
        stdout_length: stdout.length,
        stderr_length: stderr.length,
      },
    };
  },
});

function execInput(fields: {
  command: string;
  timeout_seconds?: number;
  workdir?: string | undefined;
  env?: Record<string, string> | undefined;
  user?: string | undefined;
}): ExecInput {
  const { command, timeout_seconds, ...rest } = fields;
  const timeout = timeout_seconds === undefined ? {} : { timeout_ms: Math.ceil(timeout_seconds * 1000) };
  return { cmd: ["sh", "-c", command], ...given(rest), ...timeout };
}

type LogEvent = Extract<ExecEvent, { event: "log" }>;

/** The exec, ended. A call that is taken back ends the command: SIGTERM, 5 s later SIGKILL. */
async function runToItsEnd(
  { client, signal }: Call,
  {
    box,
    input,
    stdin,
    take,
  }: { box: string; input: ExecInput; stdin: string | undefined; take: (event: LogEvent) => void },
): Promise<Exec> {
  signal.throwIfAborted();
  // Not given up with the signal: whether the command runs would not be known then.
  let exec: Exec | undefined;
  const work: Promise<void>[] = [];
  const cancel = () => {
    if (exec !== undefined) work.push(end(client, exec));
  };
  signal.addEventListener("abort", cancel);
  try {
    for await (const event of client.execs.follow(box, input)) {
      if (event.event === "log") take(event);
      if (event.event !== "exec") continue;
      exec = event.exec;
      if (signal.aborted) cancel();
      // Beside the output, without which a program may not take all of its input.
      else if (stdin !== undefined) work.push(feed(client, exec, stdin));
    }
    await Promise.all(work);
    signal.throwIfAborted();
    if (exec === undefined) throw new Error("the server named no exec");
    return await client.execs.get(exec.box_id, exec.id, { signal });
  } finally {
    signal.removeEventListener("abort", cancel);
    await Promise.allSettled(work);
  }
}

/** A program that ends, or reads no further, is none the worse for it. */
async function feed(client: BoxRunClient, { box_id, id }: Exec, stdin: string): Promise<void> {
  await client.execs.stdin(box_id, id, stdin, { eof: true }).catch(unlessFinished);
}

async function end(client: BoxRunClient, { box_id, id }: Exec): Promise<void> {
  await client.execs.cancel(box_id, id).catch(unlessFinished);
}

function unlessFinished(error: unknown): void {
  const isOver = error instanceof BoxRunError && error.code === "EXEC_ALREADY_FINISHED";
  if (!isOver) throw error;
}

const start = defineTool({
  name: "exec_start",
  title: "Start a command that runs on",
  description:
    "Starts a command in a running box and comes back at once: for servers, and for what takes long. exec_output has its output as it comes, and waits for its end; exec_kill ends it. It runs on when this session ends, unless its box goes.",
  input: z.strictObject({
    box,
    command,
    ...programFields,
    timeout_seconds: z
      .number()
      .positive()
      .max(86_400)
      .optional()
      .describe("It is killed after so long. Default: never."),
  }),
  output: z.object(execFields),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  work: async ({ box, timeout_seconds, ...program }, { client }) => {
    const limit = timeout_seconds === undefined ? {} : { timeout_seconds };
    const started = await client.execs.start(box, execInput({ ...program, ...limit }));
    return { text: `Started: ${endText(started)}`, structured: shown(started) };
  },
});

const output = defineTool({
  name: "exec_output",
  title: "Read a command's output",
  description:
    "Output of a command that exec or exec_start has started, from any place in it. For what comes next, pass next_offset as offset; with wait_seconds the call waits until there is " +
    "something new, or the command has ended. A negative offset counts from the end.",
  input: z.strictObject({
    box,
    exec_id: execId,
    stream: z.enum(["stdout", "stderr"]).default("stdout"),
    offset: z
      .int()
      .min(-200_000)
      .default(0)
      .describe("Where to begin, in characters; -2000 is the last 2000. Default: 0."),
    limit: z.int().positive().max(200_000).default(20_000).describe("At most so many characters. Default: 20000."),
    wait_seconds: z
      .number()
      .nonnegative()
      .max(50)
      .default(0)
      .describe("How long to wait where there is nothing behind offset yet. Default: not at all."),
  }),
  output: z.object({
    ...execFields,
    stream: z.enum(["stdout", "stderr"]),
    text: z.string(),
    offset: z.int().describe("Where text begins."),
    next_offset: z.int().describe("Where what comes behind text begins."),
    stdout_length: z.int().describe("What there is by now, in characters."),
    stderr_length: z.int(),
    at_end: z.boolean().describe("The command has ended, and nothing comes behind text."),
  }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  work: async ({ box, exec_id, stream, offset, limit, wait_seconds }, { client, signal, progress }) => {
    const { box_id, id } = await client.execs.get(box, exec_id, { signal });
    const passage = new Passage(offset, limit);
    const others = new Passage(0, 0);
    const reader = new OutputText(
      stream === "stdout" ? { stdout: passage, stderr: others } : { stdout: others, stderr: passage },
    );
    using _ = telling(progress, () => "Waiting for output");
    const waitMs = wait_seconds * 1000;
    await readSoFar(
      client,
      { box: box_id, exec: id },
      { signal, waitMs, isEnough: () => passage.text !== "", take: (event) => reader.add(event) },
    );
    const exec = await client.execs.get(box_id, id, { signal });
    const lengths = { [stream]: passage.length, [stream === "stdout" ? "stderr" : "stdout"]: others.length };
    const { stdout: stdout_length = 0, stderr: stderr_length = 0 } = lengths;
    const atEnd = exec.status !== "running" && passage.end >= passage.length;
    const place = `${stream} ${passage.start} to ${passage.end} of ${passage.length} characters`;
    const where = atEnd ? "" : `; go on with offset ${passage.end}`;
    const other =
      others.length === 0 ? "" : `; ${others.length} characters on ${stream === "stdout" ? "stderr" : "stdout"}`;
    return {
      text: outputText(`${place}${where}${other}; ${endText(exec)}`, { stdout: passage.text, stderr: "" }),
      structured: {
        ...shown(exec),
        ...{ stream, text: passage.text, offset: passage.start, next_offset: passage.end },
        ...{ stdout_length, stderr_length, at_end: atEnd },
      },
    };
  },
});

/** All output that there is; and if that is not enough, what comes in the time until it is, or until the exec ends. */
async function readSoFar(
  client: BoxRunClient,
  { box, exec }: { readonly box: string; readonly exec: string },
  options: {
    readonly signal: AbortSignal;
    readonly waitMs: number;
    readonly isEnough: () => boolean;
    readonly take: (event: LogEvent) => void;
  },
): Promise<void> {
  const { signal, waitMs, isEnough, take } = options;
  let after = 0;
  for await (const event of client.execs.events(box, exec, { follow: false, signal })) {
    if (event.event === "exit") return;
    after = event.seq;
    take(event);
  }
  if (isEnough() || waitMs === 0) return;
  const late = AbortSignal.timeout(waitMs);
  try {
    const events = client.execs.events(box, exec, { after, signal: AbortSignal.any([signal, late]) });
    for await (const event of events) {
      if (event.event === "log") take(event);
      if (isEnough()) return;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!late.aborted) throw error;
  }
}

const kill = defineTool({
  name: "exec_kill",
  title: "End a command",
  description:
    "Ends a command and all that it has started: SIGTERM, and SIGKILL 5 seconds later. Comes back when it is gone. With `signal` it only sends that signal. A command that has ended already is fine.",
  input: z.strictObject({
    box,
    exec_id: execId,
    signal: z.enum(signalNames).optional().describe("Send this one instead, and do not wait."),
  }),
  output: z.object(execFields),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  work: async (input, { client, signal }) => {
    const target = await client.execs.get(input.box, input.exec_id, { signal });
    if (input.signal === undefined) await end(client, target);
    else await client.execs.signal(target.box_id, target.id, input.signal, { signal }).catch(unlessFinished);
    const now = await client.execs.get(target.box_id, target.id, { signal });
    return { text: endText(now), structured: shown(now) };
  },
});

export const execTools = [exec, start, output, kill];
