import type { GcInput, GcResponse, Health, Info, RunInput, RunResponse, ServerEvent, Usage } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import { Boxes } from "./boxes.ts";
import { Execs } from "./execs.ts";
import { Files } from "./files.ts";
import { type CallOptions, Http } from "./http.ts";
import { Images } from "./images.ts";
import { Orphans } from "./orphans.ts";
import { Ports } from "./ports/ports.ts";
import { type ServerEventsOptions, serverEvents } from "./server-events.ts";
import { Sessions } from "./sessions.ts";
import { SignIn } from "./sign-in.ts";
import { Stats } from "./stats.ts";
import { type AttachOptions, attach } from "./terminal/attach.ts";
import type { Terminal } from "./terminal/terminal.ts";
import type { Fetch } from "./transport.ts";

/** Where the server is: one of the two. */
type Address =
  | {
      /** `http://127.0.0.1:9090`, or `https://…`. In a page of the server's own: `location.origin`. */
      readonly baseUrl: string;
      readonly socketPath?: undefined;
    }
  | {
      /** The server's Unix socket; Node only. */
      readonly socketPath: string;
      readonly baseUrl?: undefined;
    };

export type ClientOptions = Address & {
  /** The server's BOXRUN_TOKEN, where it asks for one. */
  readonly token?: string | undefined;
  /** Instead of the platform's own way to fetch. */
  readonly fetch?: Fetch | undefined;
  /**
   * Called before an exec's events are asked for again after the connection broke, as it does when the server is killed, for whoever can bring
   * that back; a server that stops in order says so, and is waited for. What it rejects with ends the events.
   */
  readonly bringBack?: (() => Promise<void>) | undefined;
};

/**
 * One BoxRun server. Every call rejects with a BoxRunError for what the server refuses, with a ClientError if the server can't be
 * reached or understood, and with the signal's reason if it was given up.
 */
export class BoxRunClient implements AsyncDisposable {
  readonly boxes: Boxes;
  readonly execs: Execs;
  readonly files: Files;
  readonly images: Images;
  readonly sessions: Sessions;
  readonly orphans: Orphans;
  readonly signIn: SignIn;
  readonly ports: Ports;
  readonly stats: Stats;
  readonly #http: Http;

  constructor(options: ClientOptions) {
    const { socketPath, token, fetch, bringBack } = options;
    // The host name is the server's own by definition: what a Unix socket's caller says in `Host` is not looked up.
    const baseUrl = (options.baseUrl ?? "http://localhost").replace(/\/+$/, "");
    this.#http = new Http({ baseUrl, socketPath, token, fetch, bringBack });
    this.boxes = new Boxes(this.#http);
    this.execs = new Execs(this.#http);
    this.files = new Files(this.#http);
    this.images = new Images(this.#http);
    this.sessions = new Sessions(this.#http);
    this.orphans = new Orphans(this.#http);
    this.signIn = new SignIn(this.#http);
    this.ports = new Ports(this.#http);
    this.stats = new Stats(this.#http);
  }

  /** Creates a box, runs one command in it and removes it; output is collected, so mind its size. Aborting removes the box too. */
  run(input: RunInput, options: CallOptions = {}): Promise<RunResponse> {
    return this.#http.call("POST", urls.run(), (contract) => contract.runResponseSchema, { ...options, json: input });
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
