import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { client } from "./client.ts";
import { keys } from "./keys.ts";

/** No event tells of them: they are asked for when the terminals are opened, and after what is done to them here. */
export function useSessions(boxId: string, isRunning: boolean) {
  return useQuery({
    queryKey: keys.sessions(boxId),
    queryFn: ({ signal }) => client.sessions.list(boxId, { signal }),
    enabled: isRunning,
    staleTime: 0,
  });
}

export function useEndSession(boxId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => client.sessions.remove(boxId, name),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.sessions(boxId) }),
  });
}

export function useRefreshSessions(boxId: string): () => void {
  const queries = useQueryClient();
  return () => void queries.invalidateQueries({ queryKey: keys.sessions(boxId) });
}
