import type { BoxStats, StatsHistory, StatsOverview } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import type { CallOptions, Http } from "./http.ts";
import type { Contract } from "./shape.ts";
import { readSse } from "./sse.ts";

const boxStats = (contract: Contract) => contract.boxStatsSchema;

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
    return this.#http.call("GET", urls.statsOverview(points), (contract) => contract.statsOverviewSchema.array(), call);
  }
}
