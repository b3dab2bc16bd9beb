import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { FileEntry } from "boxrun-sdk";
import { client } from "./client.ts";
import { keys } from "./keys.ts";

/** A directory of a running box; asked for anew whenever it is opened. */
export function useDirectory(boxId: string, path: string) {
  return useQuery({
    queryKey: keys.files(boxId, path),
    queryFn: ({ signal }): Promise<readonly FileEntry[]> => client.files.list(boxId, path, { signal }),
    staleTime: 0,
    retry: false,
  });
}

export function useRefreshFiles(boxId: string): () => Promise<void> {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ queryKey: keys.allFiles(boxId) });
}

export function useRemoveFile(boxId: string) {
  const refresh = useRefreshFiles(boxId);
  return useMutation({ mutationFn: (path: string) => client.files.remove(boxId, path), onSettled: refresh });
}

/** The whole of a file, or of a directory as a tar. */
export async function readWhole(
  boxId: string,
  path: string,
  kind: "file" | "tar",
  signal?: AbortSignal,
): Promise<Blob> {
  const { content } =
    kind === "file"
      ? await client.files.download(boxId, path, { signal })
      : await client.files.downloadArchive(boxId, path, { signal });
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of content) parts.push(new Uint8Array(chunk));
  return new Blob(parts, { type: "application/octet-stream" });
}

/** Of a symlink: of what it leads to. */
export function entryAt(boxId: string, path: string): Promise<FileEntry> {
  return client.files.stat(boxId, path, { follow: true });
}

export function useMakeDirectory(boxId: string) {
  const refresh = useRefreshFiles(boxId);
  return useMutation({ mutationFn: (path: string) => client.files.mkdir(boxId, path), onSettled: refresh });
}

export function useRenameFile(boxId: string) {
  const refresh = useRefreshFiles(boxId);
  return useMutation({
    mutationFn: ({ path, to }: { readonly path: string; readonly to: string }) => client.files.rename(boxId, path, to),
    onSettled: refresh,
  });
}
