import { type CreateBoxRequest, resolveImageAlias } from "@boxrun/contract";
import type { BoxRecord } from "../ports/store.ts";
import { initialWorkdir } from "../views.ts";

/** A box as it is when it was asked for, and nothing of it is there yet. */
export function newBoxRecord(
  id: string,
  request: CreateBoxRequest,
  engine: string,
  nowMs: number,
  ephemeral: boolean,
): BoxRecord {
  return {
    id,
    name: request.name ?? null,
    status: "creating",
    image: resolveImageAlias(request.image),
    imageDigest: null,
    imageConfig: null,
    cpu: request.cpu,
    memoryMb: request.memory_mb,
    diskSizeGb: request.disk_size_gb,
    network: request.network,
    workdir: initialWorkdir(request.workdir),
    env: request.env ?? null,
    secretEnv: request.secret_env ?? [],
    volumes: request.volumes ?? null,
    ports: (request.ports ?? []).map(({ guest_port, host_port, host_ip }) => ({ guest_port, host_port, host_ip })),
    labels: request.labels ?? {},
    expiresAtMs: expiryOf(request.ttl_seconds, nowMs),
    onExpiry: request.on_expiry ?? "stop",
    ephemeral,
    engine,
    engineId: null,
    errorCode: null,
    errorMessage: null,
    createdAtMs: nowMs,
    startedAtMs: null,
    stoppedAtMs: null,
  };
}

/** `null`: never. */
export function expiryOf(ttlSeconds: number | null | undefined, nowMs: number): number | null {
  return ttlSeconds === undefined || ttlSeconds === null ? null : nowMs + ttlSeconds * 1000;
}
