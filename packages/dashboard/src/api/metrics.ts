import { urls } from "@boxrun/contract/plain";
import { useQuery } from "@tanstack/react-query";
import { bytesText } from "../util/bytes.ts";
import { durationText } from "../util/time.ts";
import { baseUrl } from "./client.ts";
import { keys } from "./keys.ts";
import { parseMetrics, type Sample } from "./prometheus.ts";

/** What is worth a look in the server's metrics, as names and values. */
export function useMetrics() {
  return useQuery({
    queryKey: keys.metrics,
    queryFn: async ({ signal }) => {
      const response = await fetch(`${baseUrl}${urls.metrics()}`, { signal });
      if (!response.ok) throw new Error(`The server's metrics answered ${response.status}`);
      return summary(parseMetrics(await response.text()));
    },
  });
}

function summary(samples: readonly Sample[]): (readonly [string, string])[] {
  const sum = (name: string) =>
    samples.reduce((total, sample) => (sample.name === name ? total + sample.value : total), 0);
  const count = (name: string) => sum(name).toLocaleString();
  const started = sum("process_start_time_seconds");
  return [
    ["Up for", started === 0 ? "–" : durationText(Date.now() - started * 1000)],
    ["Memory", bytesText(sum("process_resident_memory_bytes"))],
    ["CPU time", durationText(sum("process_cpu_seconds_total") * 1000)],
    ["Requests", count("boxrun_http_requests_total")],
    ["Creations", count("boxrun_create_seconds_count")],
    ["Execs", count("boxrun_exec_seconds_count")],
    ["Output", bytesText(sum("boxrun_output_bytes_total"))],
    ["Readers", count("boxrun_sse_readers")],
    ["Sessions", count("boxrun_sessions")],
    ["Failures", count("boxrun_engine_errors_total")],
  ];
}
