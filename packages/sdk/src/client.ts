import type { Finding, GcInput, GcResponse, Health, Info, RunInput, ServerEvent, Usage } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import { findServer } from "#find-server";
import { BoxHandle, type Resources } from "./box/box-handle.ts";
import { type CreateBoxOptions, createInput } from "./box/create-options.ts";
import { type RunOptions, type RunResult, runResult } from "./box/run.ts";
import { Boxes, type BoxFilter } from "./boxes.ts";
import { CommandFailed } from "./errors.ts";
import { Execs } from "./execs.ts";
import { Files } from "./files.ts";
import { History } from "./history.ts";
import type { Address } from "./host/address.ts";
import type { StartServerOptions } from "./host/local.ts";
import { type CallOptions, Http } from "./http.ts";
import { Images } from "./images.ts";
import { Orphans } from "./orphans.ts";
import { Ports } from "./ports/ports.ts";
import type { RepeatableOptions } from "./repeat.ts";
import { type ServerEventsOptions, serverEvents } from "./server-events.ts";
import { Sessions } from "./sessions.ts";
import { SignIn } from "./sign-in.ts";
import { Stats } from "./stats.ts";
import { type AttachOptions, attach } from "./terminal/attach.ts";
import type { Terminal } from "./terminal/terminal.ts";
import type { Fetch } from "./transport.ts";

/** Where the server is; without that it is looked for (`findServer`): its socket, else BOXRUN_HOST and BOXRUN_PORT. In a page: the page's own. */
export type ClientOptions = (Address | { readonly baseUrl?: undefined; readonly socketPath?: undefined }) & {
  /** The server's BOXRUN_TOKEN, where it asks for one. Default for a server that was looked for: what that variable says. */
  readonly token?: string | undefined;
  /** Instead of the platform's own way to fetch. */
  readonly fetch?: Fetch | undefined;
  /**
   * Called before an exec's events are asked for again, or a request is sent again, after the connection broke, as it does when the server is killed,
   * for whoever can bring that back; a server that stops in order says so, and is waited for. What it rejects with ends the call.
   */
  readonly bringBack?: (() => Promise<void>) | undefined;
  /** The code that calls came from this very server, as its dashboard does: answers of the same contract need no check of their shape. */
  readonly isOwnPage?: boolean | undefined;
};

/**
 * One BoxRun server. Every call rejects with a BoxRunError for what the server refuses, with a ClientError if the server can't be
 * reached or understood, and with the signal's reason if it was given up.
 */
export class BoxRunClient implements Resources, AsyncDisposable {
  readonly boxes: Boxes;
  readonly execs: Execs;
  readonly files: Files;
  readonly images: Images;
  readonly sessions: Sessions;
  readonly orphans: Orphans;
  readonly signIn: SignIn;
  readonly ports: Ports;
  readonly stats: Stats;
  readonly history: History;
  readonly #http: Http;

  constructor(options: ClientOptions = {}) {
    const { fetch, bringBack, isOwnPage = false } = options;
    const server = isAddressed(options) ? options : findServer();
    const { socketPath } = server;
    const token = options.token ?? server.token;
    // The host name is the server's own by definition: what a Unix socket's caller says in `Host` is not looked up.
    const baseUrl = (server.baseUrl ?? "http://localhost").replace(/\/+$/, "");
    this.#http = new Http({ baseUrl, socketPath, token, fetch, bringBack, isOwnPage });
    this.boxes = new Boxes(this.#http);
    this.execs = new Execs(this.#http);
    this.files = new Files(this.#http);
    this.images = new Images(this.#http);
    this.sessions = new Sessions(this.#http);
    this.orphans = new Orphans(this.#http);
    this.signIn = new SignIn(this.#http);
    this.ports = new Ports(this.#http);
    this.stats = new Stats(this.#http);
    this.history = new History(this.#http);
  }

  /** A client of this user's server, which is started by `boxrun server start` if it is not there. Not in a browser. SERVER_START_FAILED. */
  static async start(options: StartServerOptions = {}): Promise<BoxRunClient> {
    const { local } = await import("#local");
    return new BoxRunClient(await local.startServer(options));
  }

  /**
   * Resolves with the running box. The server goes on with it when the call is given up: whoever wants it gone gives it a `name` and
   * removes that by force, which interrupts the creation.
   */
  async create(image: string, options: CreateBoxOptions & RepeatableOptions = {}): Promise<BoxHandle> {
    const { signal, idempotencyKey, ...wanted } = options;
    return new BoxHandle(this, await this.boxes.create(createInput(image, wanted), { signal, idempotencyKey }));
  }

  /** By its id or its name. BOX_NOT_FOUND. */
  async get(box: string, options: CallOptions = {}): Promise<BoxHandle> {
    return new BoxHandle(this, await this.boxes.get(box, options));
  }

  /** Newest first, 10,000 at most. */
  async list(options: CallOptions & BoxFilter = {}): Promise<BoxHandle[]> {
    return (await this.boxes.list(options)).map((info) => new BoxHandle(this, info));
  }

  /**
   * Creates a box, runs one command in it (`null`: the image's own) and removes it; output is collected, so mind its size. Aborting removes the box too, within half a minute. A
   * failing command is a result; with `check` it is a CommandFailed.
   */
  async run(image: string, cmd: readonly string[] | null, options: RunOptions = {}): Promise<RunResult> {
    const { signal, idempotencyKey, timeoutMs, check = false, ...box } = options;
    const input: RunInput = {
      ...createInput(image, box),
      cmd: cmd && [...cmd],
      ...(timeoutMs !== undefined && { timeout_ms: timeoutMs }),
    };
    const result = runResult(await this.boxes.run(input, { signal, idempotencyKey }));
    if (check && !result.ok) throw new CommandFailed(cmd ?? [`the command of ${image}`], result);
    return result;
  }

  /** Removes boxes stopped for longer than so many seconds (default 3600); resolves with their number. */
  async gc(options: CallOptions & { readonly olderThanSeconds?: number | undefined } = {}): Promise<number> {
    const { olderThanSeconds: older_than, ...call } = options;
    return (await this.collect(older_than === undefined ? {} : { older_than }, call)).removed;
  }

  /** As `gc`; and with `output_older_than` gives up the output of commands that ended longer ago than so many seconds. */
  collect(input: GcInput, options: CallOptions = {}): Promise<GcResponse> {
    return this.#http.call("POST", urls.gc(), (contract) => contract.gcResponseSchema, { ...options, json: input });
  }

  /** What boxes need on the server's host, and whether it is there. */
  findings(options: CallOptions = {}): Promise<Finding[]> {
    return this.#http.call("GET", urls.findings(), (contract) => contract.findingSchema.array(), options);
  }

  /** What takes how much of the host's disk. */
  usage(options: CallOptions = {}): Promise<Usage> {
    return this.#http.call("GET", urls.usage(), (contract) => contract.usageSchema, options);
  }

  /**
   * A terminal on a shell in a box, or on one of its sessions. BOX_NOT_FOUND, BOX_NOT_RUNNING, VALIDATION_ERROR, NOT_SUPPORTED. What the server
   * refuses after the connection is open (a shell that is not there, say) rejects the terminal's `exit`. Aborting `signal` detaches.
   */
  attach(box: string, options: AttachOptions): Promise<Terminal> {
    return attach(this.#http, box, options);
  }

  info(options: CallOptions = {}): Promise<Info> {
    return this.#http.call("GET", urls.info(), (contract) => contract.infoSchema, options);
  }

  /** Resolves if the server is up. */
  health(options: CallOptions = {}): Promise<Health> {
    return this.#http.call("GET", urls.health(), (contract) => contract.healthSchema, options);
  }

  events(options: ServerEventsOptions = {}): AsyncGenerator<ServerEvent> {
    return serverEvents(this.#http, options);
  }

  /** Closes idle connections; calls that are under way end first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }
}

function isAddressed(options: ClientOptions): options is ClientOptions & Address {
  return options.baseUrl !== undefined || options.socketPath !== undefined;
}
