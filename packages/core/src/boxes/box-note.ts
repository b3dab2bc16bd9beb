import { type BoxNote, boxNoteSchema } from "@boxrun/contract";
import type { BoxRecord } from "../ports/store.ts";

/** `undefined` for anything that is no note of this box. */
export function readBoxNote(id: string, text: string | undefined): BoxNote | undefined {
  if (text === undefined) return undefined;
  try {
    const note = boxNoteSchema.parse(JSON.parse(text));
    return note.id === id && note.image_digest !== null ? note : undefined;
  } catch {
    return undefined;
  }
}

/** The row of a box of which an engine has a note, as it is when its VM runs. */
export function recordOfNote(note: BoxNote, engine: string, nowMs: number): BoxRecord {
  return {
    id: note.id,
    name: note.name,
    status: "running",
    image: note.image,
    imageDigest: note.image_digest,
    imageConfig: note.image_config,
    cpu: note.cpu,
    memoryMb: note.memory_mb,
    diskSizeGb: note.disk_size_gb,
    network: note.network,
    workdir: note.workdir,
    env: note.env,
    secretEnv: note.secret_env ?? [],
    volumes: note.volumes,
    ports: note.ports ?? [],
    labels: note.labels ?? {},
    expiresAtMs: note.expires_at === undefined ? null : Date.parse(note.expires_at),
    onExpiry: note.on_expiry ?? "stop",
    ephemeral: false,
    engine,
    engineId: note.boxlite_id,
    errorCode: null,
    errorMessage: null,
    createdAtMs: Date.parse(note.created_at) || nowMs,
    startedAtMs: nowMs,
    stoppedAtMs: null,
  };
}
