import type { BoxStats, StatsHistory, StatsOverview, StatsOverviewEvent } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import type { CallOptions, Http } from "./http.ts";
import type { Contract } from "./shape.ts";
import { readSse } from "./sse.ts";

const boxStats = (contract: Contract) => contract.boxStatsSchema;
const overviews = (contract: Contract) => contract.statsOverviewsSchema;
const step = (contract: Contract) => contract.statsStepSchema;

/** What running boxes use of CPU, memory, disk and network. */
export class Stats {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** BOX_NOT_RUNNING. */
  get(box: string, options: CallOptions = {}): Promise<BoxStats> {
    return this.#http.call("GET", urls.stats(box), boxStats, options);
  }

  /** Every two seconds, until the box runs no more, or `signal` aborts. BOX_NOT_RUNNING; CONNECTION_FAILED if it breaks. */
  async *follow(box: string, { signal }: CallOptions = {}): AsyncGenerator<BoxStats> {
    const open = (connectionSignal: AbortSignal) =>
      this.#http.open("GET", urls.stats(box, { follow: true }), {
        headers: { accept: "text/event-stream" },
        signal: connectionSignal,
      });
    for await (const { event, data, response } of readSse(this.#http, { open, signal })) {
      if (event === "stats") yield await this.#http.parse(response, boxStats, data, "A stats event");
    }
  }

  /** The last hour, a sample every 10 seconds, in columns. */
  history(box: string, options: CallOptions = {}): Promise<StatsHistory> {
    return this.#http.call("GET", urls.statsHistory(box), (contract) => contract.statsHistorySchema, options);
  }

  /** All running boxes as they were at most 10 seconds ago, and their newest `points` samples. */
  overview(options: CallOptions & { readonly points?: number | undefined } = {}): Promise<StatsOverview[]> {
    const { points, ...call } = options;
    return this.#http.call(
      "GET",
      urls.statsOverview({ points }),
      (contract) => contract.statsOverviewSchema.array(),
      call,
    );
  }
  /**
   * All running boxes with their newest `points` samples, then every 10 seconds those that use something else than before, and a `step` behind
   * them, until `signal` aborts or the server stops. CONNECTION_FAILED if it breaks.
   */
  async *followAll(
    options: CallOptions & { readonly points?: number | undefined } = {},
  ): AsyncGenerator<StatsOverviewEvent> {
    const { points, signal } = options;
    const open = (connectionSignal: AbortSignal) =>
      this.#http.open("GET", urls.statsOverview({ points, follow: true }), {
        headers: { accept: "text/event-stream" },
        signal: connectionSignal,
      });
    for await (const { event, data, response } of readSse(this.#http, { open, signal })) {
      if (event === "stats") {
        yield { event, data: await this.#http.parse(response, overviews, data, "A stats event") };
      } else if (event === "step") yield { event, data: await this.#http.parse(response, step, data, "A step event") };
    }
  }
}
