import type { Info } from "@boxrun/contract";
import { useQuery } from "@tanstack/react-query";
import { client } from "./client.ts";
import { keys } from "./keys.ts";

export function useInfo(): Info | undefined {
  return useQuery({ queryKey: keys.info, queryFn: ({ signal }) => client.info({ signal }) }).data;
}

export function useUsage() {
  return useQuery({ queryKey: keys.usage, queryFn: ({ signal }) => client.usage({ signal }) });
}

/** What `boxrun doctor` finds on the server's host. */
export function useFindings() {
  return useQuery({ queryKey: keys.findings, queryFn: ({ signal }) => client.findings({ signal }) });
}
