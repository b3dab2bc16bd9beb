import { type Box, boxSchema, type Exec, execSchema, urls } from "@boxrun/contract";
import { Agent, type Dispatcher, request } from "undici";
import { type ParsedEvent, parseEvents } from "./sse.ts";

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Plain HTTP over the server's socket, so that a test can also say what no SDK would. */
export class Http implements AsyncDisposable {
  readonly #agent: Agent;

  constructor(socketPath: string) {
    this.#agent = new Agent({ connect: { socketPath }, bodyTimeout: 0, headersTimeout: 0 });
  }

  raw(
    method: Dispatcher.HttpMethod,
    path: string,
    options: Omit<Partial<Dispatcher.RequestOptions>, "method" | "path" | "origin"> = {},
  ): Promise<Dispatcher.ResponseData> {
    return request(`http://localhost${path}`, { ...options, method, dispatcher: this.#agent });
  }

  async json(method: Dispatcher.HttpMethod, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
    const response = await this.raw(method, path, {
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      ...(signal === undefined ? {} : { signal }),
    });
    const text = await response.body.text();
    return { status: response.statusCode, body: text === "" ? undefined : JSON.parse(text) };
  }

  async createBox(request: Record<string, unknown> = {}): Promise<Box> {
    const answer = await this.json("POST", urls.boxes(), {
      image: "base",
      cpu: 1,
      memory_mb: 256,
      disk_size_gb: 1,
      ...request,
    });
    if (answer.status !== 201) throw new Error(`create answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return boxSchema.parse(answer.body);
  }

  async getBox(id: string): Promise<Box> {
    return boxSchema.parse((await this.json("GET", urls.box(id))).body);
  }

  async startExec(boxId: string, cmd: readonly string[], more: Record<string, unknown> = {}): Promise<Exec> {
    const answer = await this.json("POST", urls.startExec(boxId), { cmd, ...more });
    if (answer.status !== 201) throw new Error(`exec answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return execSchema.parse(answer.body);
  }

  /** Events behind `after`, until the server ends the stream or the reader stops. */
  async *events(boxId: string, execId: string, after?: number): AsyncGenerator<ParsedEvent> {
    const headers = after === undefined ? {} : { "last-event-id": String(after) };
    const response = await this.raw("GET", urls.execEvents(boxId, execId), { headers });
    if (response.statusCode !== 200) throw new Error(`events answered ${response.statusCode}`);
    yield* parseEvents(response.body);
  }

  /** Starts a command and has its events in the same answer. */
  async *follow(boxId: string, cmd: readonly string[]): AsyncGenerator<ParsedEvent> {
    const response = await this.raw("POST", urls.startExec(boxId), {
      body: JSON.stringify({ cmd }),
      headers: { "content-type": "application/json", accept: "text/event-stream" },
    });
    if (response.statusCode !== 200) throw new Error(`exec answered ${response.statusCode}`);
    yield* parseEvents(response.body);
  }

  /** Runs a command to its end: its output, put together, and its exit code. */
  async run(boxId: string, cmd: readonly string[], more: Record<string, unknown> = {}): Promise<RunResult> {
    const exec = await this.startExec(boxId, cmd, more);
    return collect(this.events(boxId, exec.id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
  readonly error: string | undefined;
  readonly seqs: readonly number[];
}

export async function collect(events: AsyncIterable<ParsedEvent>): Promise<RunResult> {
  const output = { stdout: "", stderr: "" };
  const seqs: number[] = [];
  for await (const { event, data } of events) {
    seqs.push(data.seq);
    if (event === "exit") {
      const exit: { exit_code: number | null; error?: string } = JSON.parse(data.data);
      return { ...output, exitCode: exit.exit_code, error: exit.error, seqs };
    }
    if (data.stream !== null) output[data.stream] += data.data;
  }
  throw new Error(`the events ended without an exit event, after ${JSON.stringify(output).slice(0, 500)}`);
}
