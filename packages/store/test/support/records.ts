import type { BoxRecord, ExecRecord, NewOutputEvent, OutputProgress } from "@boxrun/core";

export function box(id: string, changes: Partial<BoxRecord> = {}): BoxRecord {
  return {
    id,
    name: null,
    status: "running",
    image: "base",
    imageDigest: null,
    imageConfig: null,
    cpu: 2,
    memoryMb: 1024,
    diskSizeGb: 8,
    network: false,
    workdir: "/root",
    env: null,
    secretEnv: [],
    volumes: null,
    ports: [],
    labels: {},
    expiresAtMs: null,
    onExpiry: "stop",
    ephemeral: false,
    engine: "memory",
    engineId: null,
    errorCode: null,
    errorMessage: null,
    createdAtMs: 1_000,
    startedAtMs: null,
    stoppedAtMs: null,
    ...changes,
  };
}

export function exec(id: string, boxId: string, changes: Partial<ExecRecord> = {}): ExecRecord {
  return {
    id,
    boxId,
    status: "running",
    cmd: ["true"],
    env: null,
    secretEnv: [],
    workdir: null,
    user: null,
    tty: false,
    stdin: false,
    timeoutMs: null,
    exitCode: null,
    errorMessage: null,
    createdAtMs: 1_000,
    finishedAtMs: null,
    ...changes,
  };
}

export function line(data: string, changes: Partial<NewOutputEvent> = {}): NewOutputEvent {
  return { stream: "stdout", data, base64: false, bytes: Buffer.byteLength(data), atMs: 1_000, ...changes };
}

export function stored(stdout: number, changes: Partial<OutputProgress> = {}): OutputProgress {
  return { offsets: { stdout, stderr: 0 }, awaitedSeq: null, ...changes };
}

export const succeeded = {
  status: "succeeded",
  exitCode: 0,
  errorMessage: null,
  finishedAtMs: 2_000,
  exitData: '{"exit_code":0}',
  last: null,
  isUnconfirmed: false,
} as const;
