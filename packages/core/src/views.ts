import {
  type Box,
  type BoxNote,
  defaultWorkdir,
  type Environment,
  type Exec,
  type Image,
  secretMask,
  type Volume,
} from "@boxrun/contract";
import type { BoxSpec } from "./ports/engine.ts";
import type { BoxRecord, ExecRecord, ImageRecord } from "./ports/store.ts";

/** Records as the wire and the engine see them. */

const timestamp = (ms: number) => new Date(ms).toISOString();
const optionalTimestamp = (ms: number | null) => (ms === null ? null : timestamp(ms));

/** Of a running box, what no record has. */
interface Condition {
  readonly unreachable: string | undefined;
  readonly impaired: string | undefined;
}

/** Without the values that are not to be shown. */
function shownEnvironment({ env, secretEnv }: Pick<BoxRecord, "env" | "secretEnv">): Environment | null {
  if (env === null || secretEnv.length === 0) return env;
  const secret = new Set(secretEnv);
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, secret.has(name) ? secretMask : value]));
}

const secretNames = ({ secretEnv }: Pick<BoxRecord, "secretEnv">) =>
  secretEnv.length === 0 ? {} : { secret_env: [...secretEnv] };

export function boxView(record: BoxRecord, { unreachable, impaired }: Partial<Condition> = {}): Box {
  return {
    id: record.id,
    name: record.name,
    status: record.status,
    image: record.image,
    cpu: record.cpu,
    memory_mb: record.memoryMb,
    disk_size_gb: record.diskSizeGb,
    network: record.network,
    workdir: record.workdir,
    env: shownEnvironment(record),
    ...secretNames(record),
    volumes: record.volumes === null ? null : [...record.volumes],
    boxlite_id: record.engineId,
    error_code: record.errorCode,
    error_message: record.errorMessage,
    created_at: timestamp(record.createdAtMs),
    started_at: optionalTimestamp(record.startedAtMs),
    stopped_at: optionalTimestamp(record.stoppedAtMs),
    engine: record.engine,
    image_digest: record.imageDigest,
    ...(record.ports.length === 0 ? {} : { ports: [...record.ports] }),
    ...(Object.keys(record.labels).length === 0 ? {} : { labels: record.labels }),
    ...(record.expiresAtMs === null ? {} : { expires_at: timestamp(record.expiresAtMs), on_expiry: record.onExpiry }),
    ...(unreachable === undefined ? {} : { unreachable }),
    ...(impaired === undefined ? {} : { impaired }),
  };
}

export function execView(record: ExecRecord): Exec {
  return {
    id: record.id,
    box_id: record.boxId,
    status: record.status,
    cmd: [...record.cmd],
    env: shownEnvironment(record),
    ...secretNames(record),
    workdir: record.workdir,
    timeout_ms: record.timeoutMs,
    exit_code: record.exitCode,
    error_message: record.errorMessage,
    created_at: timestamp(record.createdAtMs),
    finished_at: optionalTimestamp(record.finishedAtMs),
    user: record.user,
    tty: record.tty,
  };
}

export function imageView(record: ImageRecord, builtin: boolean): Image {
  return {
    reference: record.reference,
    digest: record.digest,
    size_bytes: record.sizeBytes,
    created_at: timestamp(record.createdAtMs),
    builtin,
  };
}

/** As they have to be mounted: one that lies in another would be hidden by it, were it there first. */
function outerFirst(volumes: readonly Volume[]): readonly Volume[] {
  const depth = ({ guest_path }: Volume) => guest_path.split("/").filter((name) => name !== "" && name !== ".").length;
  return volumes.toSorted((a, b) => depth(a) - depth(b));
}

export function boxSpec(record: BoxRecord, digest: string, layoutDir: string): BoxSpec {
  const note = boxNote(record);
  return {
    id: record.id,
    hostname: hostname(record),
    workdir: record.workdir,
    image: { digest, layoutDir },
    cpu: record.cpu,
    memoryMb: record.memoryMb,
    diskSizeGb: record.diskSizeGb,
    network: record.network,
    volumes: outerFirst(record.volumes ?? []).map((volume) => ({
      hostPath: volume.host_path,
      guestPath: volume.guest_path,
      readonly: volume.readonly,
    })),
    ...(note === undefined ? {} : { note }),
  };
}

/** What the engine keeps with a box: enough to make its row anew. */
function boxNote(box: BoxRecord): string | undefined {
  if (box.imageConfig === null) return undefined;
  const note: BoxNote = { ...boxView(box), env: box.env, image_config: box.imageConfig };
  return JSON.stringify(note);
}

/** The name, or the id, in the characters that a host name may have. */
function hostname(record: BoxRecord): string {
  const name = (record.name ?? record.id).replace(/[^A-Za-z0-9.-]/g, "-").replace(/^[-.]+|[-.]+$/g, "");
  return name === "" ? "box" : name;
}

export function initialWorkdir(requested: string | null | undefined): string {
  return requested ?? defaultWorkdir;
}
