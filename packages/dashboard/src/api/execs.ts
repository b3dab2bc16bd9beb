import { execAllows } from "@boxrun/contract/plain";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Exec, ExecInput } from "boxrun-sdk";
import { withExec } from "./box-changes.ts";
import { client } from "./client.ts";
import { keys } from "./keys.ts";

const pageSize = 200;

/** The latest of a box, newest first; kept up to date by the server's events. */
export function useExecs(boxId: string) {
  return useQuery({
    queryKey: keys.execs(boxId),
    queryFn: async ({ signal }): Promise<readonly Exec[]> => {
      for await (const page of client.execs.pages(boxId, { limit: pageSize, signal })) return page;
      return [];
    },
  });
}

export function useExecActions(boxId: string) {
  const queries = useQueryClient();
  const start = useMutation({
    mutationFn: (input: ExecInput) => client.execs.start(boxId, input),
    onSuccess: (exec) => {
      queries.setQueryData<readonly Exec[]>(keys.execs(boxId), (execs) => withExec(execs ?? [], exec));
    },
  });
  const cancel = useMutation({ mutationFn: (execId: string) => client.execs.cancel(boxId, execId) });
  return { start, cancel };
}

export function canCancel(exec: Exec): boolean {
  return execAllows(exec.status) === true;
}
