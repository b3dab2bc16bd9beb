import type { Box } from "./box.ts";
import { errorTable } from "./errors.ts";
import type { Exec } from "./exec.ts";
import type { OperationId } from "./operations.ts";

/** What an operation is asked and answers, for the OpenAPI document; tests hold them against the schemas. */
export interface OperationExample {
  /** Of JSON and form bodies. */
  readonly body?: unknown;
  /** Of JSON answers. */
  readonly answer?: unknown;
  /** Of answers that are events: each one's name and data. */
  readonly events?: readonly (readonly [event: string, data: unknown])[];
}

const box: Box = {
  id: "box_7dKqW2mXnR4s",
  name: "dev",
  status: "running",
  image: "base",
  cpu: 2,
  memory_mb: 1024,
  disk_size_gb: 8,
  network: false,
  workdir: "/root",
  env: { LANG: "C.UTF-8" },
  volumes: null,
  boxlite_id: "box_7dKqW2mXnR4s",
  error_code: null,
  error_message: null,
  created_at: "2026-11-24T03:40:31.512Z",
  started_at: "2026-11-24T03:40:32.084Z",
  stopped_at: null,
  engine: "qemu",
  image_digest: "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
};

const stopped: Box = { ...box, status: "stopped", stopped_at: "2026-11-24T04:02:10.337Z" };

const running: Exec = {
  id: "exec_0pKx6qXh1mTz",
  box_id: box.id,
  status: "running",
  cmd: ["sh", "-c", "echo hello"],
  env: null,
  workdir: null,
  timeout_ms: 60_000,
  exit_code: null,
  error_message: null,
  created_at: "2026-11-24T03:41:07.218Z",
  finished_at: null,
  user: null,
  tty: false,
};

const ended: Exec = { ...running, status: "succeeded", exit_code: 0, finished_at: "2026-11-24T03:41:07.225Z" };

const output = [
  ["log", { stream: "stdout", data: "hello\n", seq: 1, time: "2026-11-24T03:41:07.224Z" }],
  ["exit", { stream: null, data: '{"exit_code":0,"status":"succeeded"}', seq: 2 }],
] as const;

const image = {
  reference: "python:3.12-slim",
  digest: "sha256:2be8daddbb1f2b6ed6f8bb5d3d8f6f5a1b5c1c5c2d2f0f0a7f6c6dbe4a1b2c3d",
  size_bytes: 45_217_993,
  created_at: "2026-11-20T09:12:44.000Z",
  builtin: false,
};

const orphan = {
  ...{ id: "box_Qx81LmPzT0aB", engine: "qemu", name: "old", image: "base" },
  ...{ created_at: "2026-10-02T11:00:00.000Z", adoptable: true },
};

const signedIn = { kind: "browser", uid: null, expires_at: "2026-12-24T03:40:31.512Z" };

const entry = {
  ...{ name: "notes.txt", type: "file", size: 9, mode: "0644" },
  ...{ mtime: "2026-11-24T03:44:12.000Z", uid: 0, gid: 0 },
};

const stats = {
  ...{ box_id: box.id, at: "2026-11-24T03:45:00.000Z", guest: "answered", guest_error: null },
  ...{ cpu_percent: 12.5, cpus: 2, memory_bytes: 61_865_984, memory_limit_bytes: 1_073_741_824 },
  ...{ disk_bytes: 1_310_720, disk_size_bytes: 8_589_934_592 },
  ...{ network_received_bytes: null, network_sent_bytes: null, processes: 4 },
  ...{ host_cpu_percent: 14.1, host_memory_bytes: 148_897_792, host_proportional_memory_bytes: null },
};

const ok = { ok: true };

const mcpCall = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "box_list", arguments: {} } };
const mcpAnswer = { jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text: "There are no boxes" }] } };

export const operationExamples: Partial<Record<OperationId, OperationExample>> = {
  createBox: { body: { image: "base", name: "dev", env: { LANG: "C.UTF-8" } }, answer: box },
  listBoxes: { answer: [box] },
  getBox: { answer: box },
  startBox: { answer: box },
  stopBox: { answer: { ...stopped, killed: [{ pid: 41, name: "postgres" }] } },
  extendBox: {
    body: { ttl_seconds: 7200 },
    answer: { ...box, expires_at: "2026-11-24T05:40:31.512Z", on_expiry: "stop" },
  },
  commitBox: { body: { reference: "my-env" }, answer: { ...image, reference: "my-env" } },
  getStats: { answer: stats, events: [["stats", stats]] },
  getStatsHistory: {
    answer: {
      ...{ step_seconds: 10, at: [1_795_491_890, 1_795_491_900] },
      ...{ cpu_percent: [3.5, 12.5], memory_bytes: [60_817_408, 61_865_984], disk_bytes: [1_310_720, 1_310_720] },
      ...{ network_received_per_second: [null, null], network_sent_per_second: [null, null], processes: [3, 4] },
      ...{ host_cpu_percent: [4.2, 14.1], host_memory_bytes: [147_849_216, 148_897_792] },
    },
  },
  listStats: {
    answer: [stats],
    events: [
      ["stats", [stats]],
      ["step", { at: 1_790_000_000.5, boxes: 1 }],
    ],
  },
  removeBox: { answer: ok },
  startExec: {
    body: { cmd: ["sh", "-c", "echo hello"], timeout_ms: 60_000 },
    answer: running,
    events: [["exec", running], ...output],
  },
  listExecs: { answer: [ended] },
  getExec: { answer: ended },
  streamExecEvents: { events: output },
  cancelExec: { answer: { ...running, status: "canceled", exit_code: 143, finished_at: ended.finished_at } },
  writeExecStdin: { answer: ok },
  resizeExec: { body: { cols: 120, rows: 40 }, answer: ok },
  signalExec: { body: { signal: "SIGHUP" }, answer: ok },
  listSessions: {
    answer: [
      {
        ...{ name: "work", box_id: box.id, shell: null, cols: 120, rows: 40, clients: 1 },
        ...{ survives_server: true, created_at: "2026-11-24T03:50:00.120Z" },
      },
    ],
  },
  removeSession: { answer: ok },
  uploadFile: { body: { dest: "/root/notes.txt", file: "remember\n" }, answer: { ok: true, dest: "/root/notes.txt" } },
  downloadFile: { body: { path: "/root/notes.txt" } },
  listFiles: { answer: [entry] },
  statFile: { answer: entry },
  makeDirectory: { body: { path: "/root/project/src", parents: true }, answer: ok },
  renameFile: { body: { path: "/root/notes.txt", to: "/root/old-notes.txt" }, answer: ok },
  watchFiles: {
    events: [
      ["ready", {}],
      ["created", { path: "/root/project/out", is_dir: true }],
      ["renamed", { from: "/root/notes.tmp", path: "/root/notes.txt", is_dir: false }],
    ],
  },
  removeFile: { answer: ok },
  listImages: { answer: [image] },
  pullImage: {
    body: { reference: "python" },
    events: [
      ["progress", { message: "Copying blob", layer: "sha256:1adabd6b0d6b", done_bytes: 4_194_304 }],
      ["done", image],
    ],
  },
  importImage: { answer: [{ ...image, reference: "my-image:1" }] },
  getImage: {
    answer: {
      ...image,
      platform: "linux/amd64",
      config: {
        env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
        user: null,
        workdir: null,
        entrypoint: null,
        cmd: ["python3"],
      },
    },
  },
  removeImage: { answer: ok },
  run: {
    body: { image: "base", cmd: ["sh", "-c", "echo once; exit 5"] },
    answer: { exit_code: 5, stdout: "once\n", stderr: "", error_message: null },
  },
  collectGarbage: { body: { older_than: 86_400 }, answer: { removed: 2 } },
  listOrphans: { answer: [orphan] },
  adoptOrphan: { answer: { ...stopped, id: orphan.id, name: orphan.name } },
  removeOrphan: { answer: ok },
  getInfo: {
    answer: {
      ...{ max_cpu: 64, max_memory_mb: 25_600, version: "0.4.0", used_cpu: 2, used_memory_mb: 1024 },
      engine: {
        ...{ name: "qemu", accelerator: "kvm", ready: true, why: "a guest has booted with KVM" },
        capabilities: ["exec-resume", "binary-output", "tty", "network", "volumes", "prepared-boxes"],
        confinement: { complete: true, how: "a box's QEMU runs in a jail, as a user of its own for each box" },
        ...{ requested: "qemu", reason: "BOXRUN_ENGINE asks for it", considered: [] },
      },
      boxes: { creating: 0, running: 1, stopped: 0, error: 0 },
      pool: [{ image: "base", cpu: 2, memory_mb: 1024, disk_size_gb: 8, network: false, wanted: 2, ready: 2 }],
    },
  },
  getFindings: {
    answer: [
      { name: "kvm", status: "ok", message: "/dev/kvm is there for us; the server tries whether guests boot with it" },
      {
        name: "disk space",
        status: "warn",
        message: "3.1 GB free for /home/ada/.boxrun",
        advice: "Free some space, `boxrun gc` removes old boxes; or move the state directory with BOXRUN_STATE_DIR.",
      },
    ],
  },
  getUsage: {
    answer: {
      ...{ boxes: [{ id: box.id, name: box.name, disk_bytes: 18_874_368 }], boxes_bytes: 18_874_368 },
      ...{ images_bytes: 0, prepared_images_bytes: 4_481_024, output_bytes: 6, database_bytes: 126_976 },
      ...{ logs_bytes: 20_480, free_bytes: 214_748_364_800, promised_bytes: 16_777_216_000 },
    },
  },
  listPorts: {
    answer: [{ port: 5432, address: "127.0.0.1", pid: 41, process: "postgres", reachable: true }],
  },
  getSignIn: { answer: signedIn },
  listHistory: {
    answer: [
      {
        seq: 41,
        at: "2026-11-24T03:41:07.218Z",
        box_id: box.id,
        box_name: "dev",
        action: "exec",
        target: null,
        cmd: ["curl", "--token", "***", "https://example.org/"],
        exec_id: running.id,
        caller: { kind: "loopback", uid: 1000 },
        user_agent: "curl/8.5.0",
        error_code: null,
      },
    ],
  },
  signIn: { body: { link_token: "qXh1mTz0pKx6W2mXnR4s" }, answer: signedIn },
  signOut: { answer: ok },
  createSignInLink: {
    answer: {
      token: "qXh1mTz0pKx6W2mXnR4s",
      path: "/ui/#sign-in=qXh1mTz0pKx6W2mXnR4s",
      url: "http://127.0.0.1:9090/ui/#sign-in=qXh1mTz0pKx6W2mXnR4s",
      expires_at: "2026-11-24T03:45:31.512Z",
    },
  },
  getOpenApi: { answer: { openapi: "3.1.0" } },
  getHealth: { answer: { status: "ok", version: "0.4.0", idempotency_keys: true } },
  streamEvents: {
    events: [
      ["box", box],
      ["exec", ended],
      ["box_removed", { id: box.id }],
    ],
  },
  callMcp: { body: mcpCall, answer: mcpAnswer, events: [["message", mcpAnswer]] },
  streamMcp: {
    events: [
      ["message", { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 1, progress: 5 } }],
    ],
  },
};

/** An error of this code, for the document. */
export const errorExample = (code: keyof typeof errorTable) => ({
  code,
  message: errorMessages[code] ?? errorTable[code].hint,
});

const errorMessages: Partial<Record<keyof typeof errorTable, string>> = {
  VALIDATION_ERROR: "body: cpu: must be a positive integer",
  BOX_NOT_FOUND: 'There is no box "nobody"',
  EXEC_NOT_FOUND: 'There is no exec "exec_0pKx6qXh1mTz" in box dev',
  BOX_NOT_RUNNING: "Box dev is stopped",
  FILE_NOT_FOUND: "There is no /root/notes.txt in box dev",
  NAME_ALREADY_EXISTS: "There is a box named dev already: box_7dKqW2mXnR4s",
  IDEMPOTENCY_KEY_REUSED: "The Idempotency-Key was sent before, with another request",
  UNAUTHORIZED: "Not authorized: calls to this address need the server's token",
};
