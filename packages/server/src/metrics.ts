import type { BoxStatus } from "@boxrun/contract";
import type { CoreMetrics } from "@boxrun/core";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** What `GET /metrics` shows. */
export interface Metrics {
  readonly core: CoreMetrics;
  readonly sseReaders: { inc(): void; dec(): void };
  request(labels: { readonly method: string; readonly operation: string; readonly status: number | "hung_up" }): void;
  /** Asked for when somebody asks. */
  countBoxes(count: () => Readonly<Record<BoxStatus, number>>): void;
  countSessions(count: () => number): void;
  countHeldBytes(count: () => number): void;
  readonly contentType: string;
  /** Prometheus text format. */
  text(): Promise<string>;
}

const createBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60];
const execBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300, 1800];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  // The default precision of 10 ms would wake an idle server 100 times a second.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1000 });
  const create = new Histogram({
    name: "boxrun_create_seconds",
    help: "From the request for a box to running, or to the failure",
    labelNames: ["result"],
    buckets: createBuckets,
    registers,
  });
  const exec = new Histogram({
    name: "boxrun_exec_seconds",
    help: "From the start of a command to its end",
    labelNames: ["status"],
    buckets: execBuckets,
    registers,
  });
  const output = new Counter({ name: "boxrun_output_bytes_total", help: "Bytes of output stored", registers });
  const engineErrors = new Counter({
    name: "boxrun_engine_errors_total",
    help: "Operations that the engine failed",
    labelNames: ["operation"],
    registers,
  });
  const requests = new Counter({
    name: "boxrun_http_requests_total",
    help: "Requests answered",
    labelNames: ["method", "operation", "status"],
    registers,
  });
  const sseReaders = new Gauge({ name: "boxrun_sse_readers", help: "Open event streams", registers });
  return {
    core: {
      createSeconds: (seconds, ok) => create.observe({ result: ok ? "ok" : "error" }, seconds),
      execSeconds: (seconds, status) => exec.observe({ status }, seconds),
      outputBytes: (bytes) => output.inc(bytes),
      engineError: (operation) => engineErrors.inc({ operation }),
    },
    sseReaders,
    request: (labels) => requests.inc(labels),
    countBoxes: (count) => {
      new Gauge({
        name: "boxrun_boxes",
        help: "Boxes by state",
        labelNames: ["status"],
        registers,
        collect() {
          for (const [status, boxes] of Object.entries(count())) this.set({ status }, boxes);
        },
      });
    },
    countSessions: (count) => {
      new Gauge({
        name: "boxrun_sessions",
        help: "Shells that clients attach to",
        registers,
        collect() {
          this.set(count());
        },
      });
    },
    countHeldBytes: (count) => {
      new Gauge({
        name: "boxrun_sse_held_bytes",
        help: "Events that wait for readers which don't read",
        registers,
        collect() {
          this.set(count());
        },
      });
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
