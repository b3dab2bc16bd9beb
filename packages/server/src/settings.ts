import { availableParallelism, homedir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { BoxRunError, engineNames, type RequestedEngine } from "@boxrun/contract";
import type { PoolSize } from "@boxrun/core";
import { hostService } from "@boxrun/host";
import { z } from "zod";
import { poolSetting } from "./pool-setting.ts";

/** What the server runs with: from flags, else from the environment, else the default. */
interface WantedTcp {
  readonly host: string;
  readonly port: number;
  /** Nobody has asked for it: where another program has it, another user's server for one, that is no reason to do without a server. */
  readonly byDefault?: true;
}

export interface Settings {
  readonly stateDir: string;
  readonly socketPath: string;
  readonly dbPath: string;
  /** What was built at set-up: kernel, agent, base image. */
  readonly cacheDir: string;
  /** Of the disk, for templates; 0: every box boots. */
  readonly templateCacheMb: number | undefined;
  /** `null`: the socket alone. */
  readonly tcp: WantedTcp | null;
  readonly maxCpu: number;
  readonly maxMemoryMb: number;
  /** A path, or `own`; `undefined`: boxes get none. */
  readonly cgroup: string | undefined;
  /** See `ResourceLimits`. */
  readonly diskOvercommit: number;
  /** Boxes that are kept ready. */
  readonly pool: readonly PoolSize[];
  readonly engine: RequestedEngine;
  readonly token: string | null;
  /** What the server is called elsewhere, behind a proxy: `boxes.example.org`, with the port if there is one. Lower case. */
  readonly allowedHosts: readonly string[];
  /** What a reverse proxy puts before every path: `/boxrun`; empty for nothing. */
  readonly basePath: string;
  readonly outputLimitBytes: number;
  readonly readerStallMs: number;
  /** Of a registry that sends nothing; `undefined`: a minute. */
  readonly pullIdleTimeoutMs: number | undefined;
  /** For how long output is kept, and how much of all commands together. */
  readonly retention: { readonly maxAgeMs: number; readonly maxTotalBytes: number };
  /** Of what was done to boxes. */
  readonly history: { readonly maxAgeMs: number; readonly maxEntries: number };
  /** Whether the arguments of commands are kept there, or their programs alone. */
  readonly historyArguments: "keep" | "omit";
  readonly logLevel: LogLevel;
  /** `null`: standard error. */
  readonly logFile: string | null;
  /** Stop the boxes when the server stops. */
  readonly stopBoxes: boolean;
}

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** The flags of `boxrun serve`, as they were typed. They win over the environment. */
export interface ServeFlags {
  readonly stateDir?: string | undefined;
  readonly socket?: string | undefined;
  readonly host?: string | undefined;
  /** `0`: any free port. */
  readonly port?: string | number | undefined;
  /** `false`: `--no-tcp`. */
  readonly tcp?: boolean | undefined;
  readonly engine?: string | undefined;
  readonly stopBoxes?: boolean | undefined;
  readonly logFile?: string | undefined;
  readonly logLevel?: string | undefined;
}

/** Of the history: some 200 MB. */
const maxHistoryEntries = 1_000_000;

/** What a Unix socket address holds on Linux, less the final NUL. */
const socketPathBytes = 107;

const path = z
  .string()
  .regex(/^[^\0]+$/, "must be a path")
  .transform((text) => resolve(text));
const wholeNumber = (min: number, max: number, message: string) =>
  z
    .string()
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message);
const positive = wholeNumber(1, Number.MAX_SAFE_INTEGER, "must be a positive whole number");

const rules = {
  stateDir: rule("BOXRUN_STATE_DIR", "--state-dir", path),
  socket: rule(
    "BOXRUN_SOCKET",
    "--socket",
    path.refine((text) => Buffer.byteLength(text) <= socketPathBytes, `must be ${socketPathBytes} bytes at most`),
  ),
  db: rule("BOXRUN_DB", undefined, path),
  cacheDir: rule("BOXRUN_CACHE_DIR", undefined, path),
  templateCacheMb: rule(
    "BOXRUN_TEMPLATE_CACHE_MB",
    undefined,
    wholeNumber(0, 1_073_741_824, "must be a number of MiB"),
  ),
  host: rule("BOXRUN_HOST", "--host", z.string().regex(/^[A-Za-z0-9.:_-]+$/, "must be an address or a host name")),
  port: rule("BOXRUN_PORT", "--port", wholeNumber(0, 65_535, "must be a port: 1 to 65535, or 0 for any free one")),
  maxCpu: rule("BOXRUN_MAX_CPU", undefined, positive),
  maxMemoryMb: rule("BOXRUN_MAX_MEMORY_MB", undefined, positive),
  cgroup: rule("BOXRUN_CGROUP", undefined, z.string().regex(/^(own|\/[^\0]*)$/, "must be an absolute path, or own")),
  diskOvercommit: rule("BOXRUN_DISK_OVERCOMMIT", undefined, wholeNumber(1, 1_000_000, "must be 1 to 1000000 (times)")),
  pool: rule("BOXRUN_POOL", undefined, poolSetting),
  engine: rule("BOXRUN_ENGINE", "--engine", z.enum(engineNames, `must be one of ${engineNames.join(", ")}`)),
  token: rule("BOXRUN_TOKEN", undefined, z.string().regex(/^[\x21-\x7e]+$/, "must be printable ASCII without spaces")),
  allowedHosts: rule(
    "BOXRUN_ALLOWED_HOSTS",
    undefined,
    z
      .string()
      .regex(
        /^\s*[A-Za-z0-9._-]+(:\d{1,5})?(\s*,\s*[A-Za-z0-9._-]+(:\d{1,5})?)*\s*$/,
        "must be host names, with :PORT where there is one, and commas between them",
      )
      .transform((text) => text.split(",").map((host) => host.trim().toLowerCase())),
  ),
  basePath: rule(
    "BOXRUN_BASE_PATH",
    undefined,
    z
      .string()
      .regex(
        /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)*\/?$/,
        "must be a path of letters, digits and . _ ~ - behind each /, as /boxrun",
      )
      .transform((text) => text.replace(/\/$/, "")),
  ),
  outputLimitMb: rule("BOXRUN_OUTPUT_LIMIT_MB", undefined, wholeNumber(1, 1_048_576, "must be 1 to 1048576 (MiB)")),
  outputDays: rule("BOXRUN_OUTPUT_KEEP_DAYS", undefined, wholeNumber(1, 36_500, "must be 1 to 36500 (days)")),
  outputTotalMb: rule("BOXRUN_OUTPUT_TOTAL_MB", undefined, wholeNumber(1, 1_073_741_824, "must be a number of MiB")),
  historyDays: rule("BOXRUN_HISTORY_KEEP_DAYS", undefined, wholeNumber(1, 36_500, "must be 1 to 36500 (days)")),
  historyArguments: rule("BOXRUN_HISTORY_ARGUMENTS", undefined, z.enum(["keep", "omit"], "must be keep or omit")),
  readerStallS: rule("BOXRUN_READER_STALL_S", undefined, wholeNumber(1, 86_400, "must be 1 to 86400 (seconds)")),
  pullIdleS: rule(
    "BOXRUN_PULL_IDLE_S",
    undefined,
    wholeNumber(1, 86_400, "must be 1 to 86400 (seconds)").transform((seconds) => seconds * 1000),
  ),
  logLevel: rule("BOXRUN_LOG_LEVEL", "--log-level", z.enum(logLevels, `must be one of ${logLevels.join(", ")}`)),
  logFile: rule(undefined, "--log-file", path),
};

/** VALIDATION_ERROR that names the variable or flag whose value does not parse; a secret's value is never in it. */
export function readSettings(flags: ServeFlags, env: NodeJS.ProcessEnv): Settings {
  const stateDir = read(rules.stateDir, flags.stateDir, env) ?? inHome(rules.stateDir, ".boxrun");
  const maxOutputMb = read(rules.outputLimitMb, undefined, env) ?? 64;
  const engine = read(rules.engine, flags.engine, env) ?? "auto";
  const token = read(rules.token, undefined, env) ?? null;
  const allowedHosts = read(rules.allowedHosts, undefined, env) ?? [];
  if (allowedHosts.length > 0 && token === null) {
    throw new BoxRunError(
      "VALIDATION_ERROR",
      "Cannot start the server: BOXRUN_ALLOWED_HOSTS needs BOXRUN_TOKEN: who calls under those names must send it",
      { details: { setting: "BOXRUN_ALLOWED_HOSTS" } },
    );
  }
  return {
    stateDir,
    socketPath: read(rules.socket, flags.socket, env) ?? defaultSocket(stateDir),
    dbPath: read(rules.db, undefined, env) ?? join(stateDir, "boxrun.db"),
    templateCacheMb: read(rules.templateCacheMb, undefined, env),
    cacheDir: read(rules.cacheDir, undefined, env) ?? inHome(rules.cacheDir, ".cache", "boxrun"),
    tcp: flags.tcp === false ? null : wantedTcp(read(rules.host, flags.host, env), read(rules.port, flags.port, env)),
    maxCpu: read(rules.maxCpu, undefined, env) ?? 8 * availableParallelism(),
    maxMemoryMb: read(rules.maxMemoryMb, undefined, env) ?? Math.floor((hostMemoryBytes() * 0.8) / 1024 / 1024),
    cgroup: read(rules.cgroup, undefined, env),
    diskOvercommit: read(rules.diskOvercommit, undefined, env) ?? 10,
    pool: read(rules.pool, undefined, env) ?? [],
    engine,
    token,
    allowedHosts,
    basePath: read(rules.basePath, undefined, env) ?? "",
    outputLimitBytes: maxOutputMb * 1024 * 1024,
    retention: {
      maxAgeMs: (read(rules.outputDays, undefined, env) ?? 30) * 86_400_000,
      maxTotalBytes: (read(rules.outputTotalMb, undefined, env) ?? 4096) * 1024 * 1024,
    },
    history: { maxAgeMs: (read(rules.historyDays, undefined, env) ?? 90) * 86_400_000, maxEntries: maxHistoryEntries },
    historyArguments: read(rules.historyArguments, undefined, env) ?? "keep",
    readerStallMs: (read(rules.readerStallS, undefined, env) ?? 60) * 1000,
    pullIdleTimeoutMs: read(rules.pullIdleS, undefined, env),
    logLevel: read(rules.logLevel, flags.logLevel, env) ?? "info",
    logFile: read(rules.logFile, flags.logFile, env) ?? null,
    stopBoxes: flags.stopBoxes ?? false,
  };
}

interface Rule<T> {
  readonly variable: string | undefined;
  readonly flag: string | undefined;
  readonly schema: z.ZodType<T>;
}

function rule<T>(variable: string | undefined, flag: string | undefined, schema: z.ZodType<T>): Rule<T> {
  return { variable, flag, schema };
}

/** An empty variable is one that is not set. */
function read<T>(setting: Rule<T>, flag: string | number | undefined, env: NodeJS.ProcessEnv): T | undefined {
  const fromEnvironment = setting.variable === undefined ? undefined : env[setting.variable];
  const [name, value] = flag === undefined ? [setting.variable, fromEnvironment] : [setting.flag, String(flag)];
  if (value === undefined || (flag === undefined && value === "")) return undefined;
  const result = setting.schema.safeParse(value);
  if (result.success) return result.data;
  const reason = result.error.issues[0]?.message ?? "is not valid";
  const shown = setting.variable === "BOXRUN_TOKEN" ? "" : `, not ${JSON.stringify(value)}`;
  throw new BoxRunError("VALIDATION_ERROR", `Cannot start the server: ${name} ${reason}${shown}`, {
    details: { setting: name },
  });
}

/** The default of a setting, in the home directory. VALIDATION_ERROR where this user has none. */
function inHome({ variable = "" }: Rule<string>, ...parts: readonly string[]): string {
  try {
    return join(homedir(), ...parts);
  } catch (error) {
    throw new BoxRunError(
      "VALIDATION_ERROR",
      `Cannot start the server: ${variable} is not set, and this user has no home directory: HOME is not set either`,
      { cause: error, details: { setting: variable } },
    );
  }
}

function defaultSocket(stateDir: string): string {
  const socketPath = join(stateDir, "boxrun.sock");
  const result = rules.socket.schema.safeParse(socketPath);
  if (result.success) return result.data;
  throw new BoxRunError(
    "VALIDATION_ERROR",
    `Cannot start the server: the path of its socket, ${socketPath}, is longer than ${socketPathBytes} bytes. ` +
      "Choose a shorter BOXRUN_STATE_DIR, or another place for the socket with BOXRUN_SOCKET.",
    { details: { setting: "BOXRUN_STATE_DIR" } },
  );
}

/** The host's memory, or what a control group leaves of it. */
function hostMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

function wantedTcp(host: string | undefined, port: number | undefined): WantedTcp {
  const byDefault = host === undefined && port === undefined ? { byDefault: true as const } : {};
  return { host: host ?? "127.0.0.1", port: port ?? hostService.port, ...byDefault };
}
