import type { Exec, ExecInput, SignalName, TerminalSize } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import { type BodySource, encodeBody } from "./body.ts";
import { type ExecEvent, type ExecEventsOptions, type ExecStarted, execEvents, startAndFollow } from "./exec-events.ts";
import type { CallOptions, Http } from "./http.ts";
import { type RepeatableOptions, untilAnswered } from "./repeat.ts";
import type { Contract } from "./shape.ts";

const shape = (contract: Contract) => contract.execSchema;

export class Execs {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Starts a command; it runs on whoever watches. */
  start(box: string, input: ExecInput, options: RepeatableOptions = {}): Promise<Exec> {
    const { signal } = options;
    return untilAnswered(this.#http, options, (headers) =>
      this.#http.call("POST", urls.startExec(box), shape, { signal, headers, json: input }),
    );
  }

  /**
   * Starts a command and follows it, in one exchange with the server: the exec comes first, then its events as from `events`. The command
   * runs on when the loop is left early, or the call is given up.
   */
  follow(box: string, input: ExecInput, options: RepeatableOptions = {}): AsyncGenerator<ExecStarted | ExecEvent> {
    return startAndFollow(this.#http, box, input, options);
  }

  /** All of a box's, newest first, `limit` (1 to 1,000) at a time. */
  pages(box: string, options: CallOptions & { readonly limit: number }): AsyncGenerator<Exec[]> {
    const path = (cursor: string | undefined) => urls.execs(box, { limit: options.limit, cursor });
    return this.#http.pages(path, (contract) => contract.execSchema.array(), options);
  }

  /** Newest first, 10,000 at most. */
  list(box: string, options: CallOptions = {}): Promise<Exec[]> {
    return this.#http.call("GET", urls.execs(box), (contract) => contract.execSchema.array(), options);
  }

  get(box: string, exec: string, options: CallOptions = {}): Promise<Exec> {
    return this.#http.call("GET", urls.exec(box, exec), shape, options);
  }

  /** Ends the command's process group: SIGTERM, 5 s later SIGKILL. Resolves when it is really gone. */
  async cancel(box: string, exec: string, options: CallOptions = {}): Promise<void> {
    await this.#http.do("POST", urls.execAction(box, exec, "cancel"), options);
  }

  async signal(box: string, exec: string, signal: SignalName, options: CallOptions = {}): Promise<void> {
    await this.#http.do("POST", urls.execAction(box, exec, "signal"), { ...options, json: { signal } });
  }

  /** Of an exec started with `tty`. */
  async resize(box: string, exec: string, size: TerminalSize, options: CallOptions = {}): Promise<void> {
    await this.#http.do("POST", urls.execAction(box, exec, "resize"), { ...options, json: size });
  }

  /**
   * Appends to the standard input of an exec started with `stdin`; resolves when the box has it all. `eof` closes it behind. With `offset`, where
   * `content` begins in all of the input, the same call can be made again after a failure: what was taken is skipped.
   */
  async stdin(
    box: string,
    exec: string,
    content: BodySource,
    options: CallOptions & { readonly eof?: boolean | undefined; readonly offset?: number | undefined } = {},
  ): Promise<void> {
    const { eof, offset, ...call } = options;
    const query = { ...(eof !== undefined && { eof }), ...(offset !== undefined && { offset }) };
    await this.#http.do("POST", urls.stdin(box, exec, query), {
      ...call,
      body: encodeBody(content, "application/octet-stream"),
    });
  }

  /** All output from the beginning (or behind `after`), then live, then the exit event: each once, also over a restart of the server. */
  events(box: string, exec: string, options: ExecEventsOptions = {}): AsyncGenerator<ExecEvent> {
    return execEvents(this.#http, { boxId: box, execId: exec }, options);
  }
}
