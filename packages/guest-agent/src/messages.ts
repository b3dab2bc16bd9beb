import { z } from "zod";

/** What the agent answers. It comes out of a guest: everything is checked, and what isn't needed is ignored. */

const text = z.string().max(16_384);

export const agentExitSchema = z.object({
  code: z.int().min(0).max(255),
  reason: z.enum(["exited", "signaled", "timeout", "canceled", "not_started"]),
  message: text.optional(),
});
export type AgentExit = z.infer<typeof agentExitSchema>;

export const okSchema = z.object({ ok: z.literal(true) });

const killedSchema = z.object({ pid: z.int().positive(), name: z.string().max(64) });
/** An older agent says only that it has heard. */
export const poweredOffSchema = z.object({ ok: z.literal(true), killed: z.array(killedSchema).max(64).optional() });

/** GET /hello lists every exec that the agent remembers. */
export const helloLimitBytes = 1024 * 1024;

export const helloSchema = z.object({
  agent: text,
  protocol: z.int(),
  boot_id: z.string().regex(/^[0-9a-f]{32}$/),
  setup: z.boolean(),
});

export const execStateSchema = z.object({
  id: text,
  state: z.enum(["running", "exited"]),
  /** Bytes of standard input that were taken; an older agent doesn't say. */
  stdin: z.int().nonnegative().optional(),
});

const count = z.int().nonnegative();

export const usageSchema = z.object({
  cpu_ms: count,
  memory_used: count,
  memory_total: count,
  disk_used: count,
  disk_size: count,
  network: z.object({ received: count, sent: count }).optional(),
  processes: count,
});
export type AgentUsage = z.infer<typeof usageSchema>;

export const agentErrorSchema = z.object({
  code: z.enum(["BAD_REQUEST", "NOT_FOUND", "EXISTS", "NOT_SETUP", "FINISHED", "REFUSED", "IO"]),
  message: text,
});
export type AgentErrorCode = z.infer<typeof agentErrorSchema>["code"];

export const listeningPortsSchema = z.object({
  ports: z
    .array(
      z.object({
        port: z.int().min(1).max(65_535),
        address: z.union([z.ipv4(), z.ipv6()]),
        /** Missing if the agent has not found it out. */
        pid: z.int().positive().optional(),
        process: z.string().max(64).optional(),
      }),
    )
    .max(1024),
});

const nameBytes = z.base64().transform((encoded) => Buffer.from(encoded, "base64"));

export const entrySchema = z.object({
  name: z.string().max(4096).optional(),
  /** A name that is not UTF-8. */
  name_b64: nameBytes.optional(),
  type: z.enum(["file", "dir", "symlink", "other"]),
  size: z.int().nonnegative(),
  mode: z.string().regex(/^[0-7]{4}$/),
  /** Seconds since the epoch. */
  mtime: z.int().min(-8_640_000_000_000).max(8_640_000_000_000),
  uid: z.int().nonnegative(),
  gid: z.int().nonnegative(),
  target: z.string().max(4096).optional(),
  target_b64: nameBytes.optional(),
});
export type AgentEntry = z.infer<typeof entrySchema>;

/** A line of GET /watch. */
export const changeSchema = z.object({
  event: z.enum(["created", "changed", "removed", "renamed", "overflow"]),
  name: z.string().max(8192).optional(),
  name_b64: nameBytes.optional(),
  from: z.string().max(8192).optional(),
  from_b64: nameBytes.optional(),
  dir: z.boolean().optional(),
  reason: text.optional(),
});
export type AgentChange = z.infer<typeof changeSchema>;

export interface SetupMessage {
  readonly hostname: string;
  /** 32 hexadecimal digits, for /etc/machine-id. */
  readonly machine_id: string;
  readonly unix_ns: string;
  readonly entropy: string;
  readonly modules: readonly string[];
  readonly root: { readonly image: string; readonly disk: string };
  /** The disk for transfers; missing if there is none. */
  readonly bulk?: string;
  readonly volumes: readonly { readonly tag: string; readonly guest_path: string; readonly readonly: boolean }[];
  readonly network: {
    readonly address: string;
    readonly gateway: string;
    readonly dns: readonly string[];
    readonly mac: string;
  } | null;
  /** Made if it is missing. */
  readonly workdir: string;
  /** Nobody's box yet: a later setup without it makes it one. */
  readonly template?: true;
}

export interface ExecStartMessage {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: string;
  readonly stdin: boolean;
  readonly tty: { readonly cols: number; readonly rows: number } | null;
  readonly timeout_ms: number | null;
}
