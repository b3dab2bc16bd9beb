import { useQuery } from "@tanstack/react-query";
import { client } from "./client.ts";
import { keys } from "./keys.ts";

/** No event tells when a program in a box begins to listen. */
const readEveryMs = 5_000;

/** The ports on which something in a running box listens. */
export function useListeningPorts(boxId: string) {
  return useQuery({
    queryKey: keys.ports(boxId),
    queryFn: ({ signal }) => client.ports.list(boxId, { signal }),
    refetchInterval: readEveryMs,
    staleTime: 0,
  });
}
