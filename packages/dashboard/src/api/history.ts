import { useQuery } from "@tanstack/react-query";
import { client } from "./client.ts";
import { keys } from "./keys.ts";

/** What was done to a box (also one that is gone), or to all, newest first. The server's events have it read anew. */
export function useHistory(boxId: string | undefined, limit: number) {
  return useQuery({
    queryKey: keys.history(boxId, limit),
    queryFn: ({ signal }) => client.history.list({ box: boxId, limit, signal }),
    placeholderData: (before) => before,
  });
}
