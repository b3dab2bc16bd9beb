import type { AttachInput } from "./sessions.ts";

/** Every URL of the API, built in one place. Ids and names are encoded; they never need quoting by the caller. */
const box = (id: string) => `/v1/boxes/${encodeURIComponent(id)}`;
const exec = (boxId: string, execId: string) => `${box(boxId)}/exec/${encodeURIComponent(execId)}`;

type QueryValue = string | number | boolean | undefined;

function query(parameters: Readonly<Record<string, QueryValue | readonly string[]>>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== undefined) search.append(key, String(one));
  }
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

interface Page {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

interface Secrets {
  readonly show_secrets?: true | undefined;
}

export const urls = {
  boxes: (
    options: { readonly status?: string | undefined; readonly label?: readonly string[] | undefined } & Secrets &
      Page = {},
  ) => `/v1/boxes${query({ ...options })}`,
  box: (id: string, options: Secrets = {}) => `${box(id)}${query({ ...options })}`,
  removeBox: (id: string, force: boolean) => `${box(id)}${query({ force: force || undefined })}`,
  startBox: (id: string) => `${box(id)}:start`,
  extendBox: (id: string) => `${box(id)}:extend`,
  commitBox: (id: string) => `${box(id)}:commit`,
  stopBox: (id: string, timeoutMs?: number) => `${box(id)}:stop${query({ timeout_ms: timeoutMs })}`,
  execs: (id: string, page: Page = {}) => `${box(id)}/execs${query({ ...page })}`,
  startExec: (id: string) => `${box(id)}/exec`,
  exec,
  execEvents: (boxId: string, execId: string, options: { readonly after?: number; readonly follow?: boolean } = {}) =>
    `${exec(boxId, execId)}/events${query({ ...options })}`,
  execAction: (boxId: string, execId: string, action: "cancel" | "resize" | "signal") =>
    `${exec(boxId, execId)}:${action}`,
  stdin: (boxId: string, execId: string, options: { readonly eof?: boolean; readonly offset?: number } = {}) =>
    `${exec(boxId, execId)}/stdin${query({ ...options, eof: options.eof || undefined })}`,
  attach: (id: string, input: AttachInput = {}) =>
    `${box(id)}/attach${query({ ...input, share: input.share || undefined })}`,
  sessions: (id: string) => `${box(id)}/sessions`,
  session: (id: string, name: string) => `${box(id)}/sessions/${encodeURIComponent(name)}`,
  ports: (id: string) => `${box(id)}/ports`,
  port: (id: string, port: number) => `${box(id)}/ports/${port}`,
  upload: (id: string, options: { readonly archive?: "tar"; readonly owner?: string | undefined } = {}) =>
    `${box(id)}/files/upload${query({ ...options })}`,
  download: (id: string, options: { readonly archive?: "tar"; readonly full?: boolean } = {}) =>
    `${box(id)}/files/download${query({ ...options, full: options.full || undefined })}`,
  files: (id: string, path: string) => `${box(id)}/files${query({ path })}`,
  stat: (id: string, path: string, follow: boolean) =>
    `${box(id)}/files/stat${query({ path, follow: follow || undefined })}`,
  watchFiles: (id: string, path: string, recursive: boolean) =>
    `${box(id)}/files/watch${query({ path, recursive: recursive || undefined })}`,
  makeDirectory: (id: string) => `${box(id)}/files/mkdir`,
  renameFile: (id: string) => `${box(id)}/files/rename`,
  history: (options: { readonly box?: string | undefined; readonly after?: number | undefined } & Page = {}) =>
    `/v1/history${query({ ...options })}`,
  stats: (id: string, options: { readonly follow?: boolean } = {}) =>
    `${box(id)}/stats${query({ follow: options.follow || undefined })}`,
  statsHistory: (id: string) => `${box(id)}/stats/history`,
  statsOverview: (options: { readonly points?: number | undefined; readonly follow?: boolean } = {}) =>
    `/v1/stats${query({ ...options, follow: options.follow || undefined })}`,
  run: () => "/v1/run",
  gc: () => "/v1/gc",
  usage: () => "/v1/usage",
  findings: () => "/v1/doctor",
  orphans: () => "/v1/orphans",
  orphan: (id: string) => `/v1/orphans/${encodeURIComponent(id)}`,
  adoptOrphan: (id: string) => `/v1/orphans/${encodeURIComponent(id)}:adopt`,
  info: () => "/v1/info",
  events: () => "/v1/events",
  images: () => "/v1/images",
  pullImage: () => "/v1/images:pull",
  importImage: (reference?: string) => `/v1/images:import${query({ reference })}`,
  image: (reference: string) => `/v1/images/${encodeURIComponent(reference)}`,
  signIn: () => "/v1/sign-in",
  signInLinks: () => "/v1/sign-in/links",
  health: () => "/healthz",
  metrics: () => "/metrics",
  openapi: () => "/openapi.json",
} as const;

/** Every answer carries the server's `revision`: a client of the same one need not check the answer's shape. */
export const revisionHeader = "boxrun-contract";

/** Of a list that has more than it was asked for: the `cursor` of its next page. */
export const nextCursorHeader = "boxrun-next-cursor";

/** Names a request, so that it can be sent again: a create, an exec and a run know it. */
export const idempotencyKeyHeader = "idempotency-key";

/** `true` on what a request is answered whose key was there before. */
export const replayedHeader = "idempotency-replayed";
