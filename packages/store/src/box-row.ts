import type { SQLOutputValue } from "node:sqlite";
import { boxStatuses } from "@boxrun/contract";
import type { BoxRecord } from "@boxrun/core";
import { z } from "zod";
import { imageConfigSchema } from "./images.ts";

const volumesSchema = z.array(z.object({ host_path: z.string(), guest_path: z.string(), readonly: z.boolean() }));
const portsSchema = z.array(z.object({ guest_port: z.int(), host_port: z.int(), host_ip: z.string() }));

type Row = Record<string, SQLOutputValue>;

/** By hand, and not with a schema: whoever lists boxes reads a thousand rows, and this is several times as fast. */
export const boxRow = {
  parse(row: Row): BoxRecord {
    const config = textOrNull(row, "image_config");
    return {
      id: text(row, "id"),
      name: textOrNull(row, "name"),
      status: oneOf(row, "status", boxStatuses),
      image: text(row, "image"),
      imageDigest: textOrNull(row, "image_digest"),
      imageConfig: config === null ? null : imageConfigOf(config),
      cpu: integer(row, "cpu"),
      memoryMb: integer(row, "memory_mb"),
      diskSizeGb: integer(row, "disk_size_gb"),
      network: integer(row, "network") !== 0,
      workdir: text(row, "workdir"),
      env: json(row, "env", textMap),
      volumes: json(row, "volumes", (value) => volumesSchema.parse(value)),
      secretEnv: json(row, "secret_env", texts) ?? [],
      ports: json(row, "ports", (value) => portsSchema.parse(value)) ?? [],
      labels: json(row, "labels", textMap) ?? {},
      expiresAtMs: integerOrNull(row, "expires_at_ms"),
      onExpiry: row.on_expiry === null ? "stop" : oneOf(row, "on_expiry", ["stop", "remove"]),
      ephemeral: integer(row, "ephemeral") !== 0,
      engine: text(row, "engine"),
      engineId: textOrNull(row, "engine_id"),
      errorCode: textOrNull(row, "error_code"),
      errorMessage: textOrNull(row, "error_message"),
      createdAtMs: integer(row, "created_at_ms"),
      startedAtMs: integerOrNull(row, "started_at_ms"),
      stoppedAtMs: integerOrNull(row, "stopped_at_ms"),
    };
  },
};

/** Boxes of one image have the same: it is read once. Nobody changes a record. */
const configs = new Map<string, BoxRecord["imageConfig"]>();
const maxConfigs = 100;

function imageConfigOf(written: string): BoxRecord["imageConfig"] {
  const known = configs.get(written);
  if (known !== undefined) return known;
  const config = imageConfigSchema.parse(JSON.parse(written));
  if (configs.size >= maxConfigs) configs.clear();
  configs.set(written, config);
  return config;
}

function text(row: Row, name: string): string {
  const value = row[name];
  if (typeof value !== "string") throw damaged(name);
  return value;
}

function textOrNull(row: Row, name: string): string | null {
  return row[name] === null ? null : text(row, name);
}

function integer(row: Row, name: string): number {
  const value = row[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw damaged(name);
  return value;
}

function integerOrNull(row: Row, name: string): number | null {
  return row[name] === null ? null : integer(row, name);
}

function oneOf<Name extends string>(row: Row, name: string, known: readonly Name[]): Name {
  const value = row[name];
  const found = known.find((one) => one === value);
  if (found === undefined) throw damaged(name);
  return found;
}

function json<Value>(row: Row, name: string, read: (value: unknown) => Value): Value | null {
  const written = textOrNull(row, name);
  if (written === null) return null;
  try {
    return read(JSON.parse(written));
  } catch (error) {
    throw damaged(name, error);
  }
}

function textMap(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("is no object");
  const map: Record<string, string> = {};
  for (const [name, one] of Object.entries(value)) {
    if (typeof one !== "string") throw new TypeError("has a value that is no text");
    map[name] = one;
  }
  return map;
}

function texts(value: unknown): string[] {
  if (!Array.isArray(value)) throw new TypeError("is no list");
  return value.map((one) => {
    if (typeof one !== "string") throw new TypeError("has a value that is no text");
    return one;
  });
}

function damaged(name: string, cause?: unknown): TypeError {
  const why = cause instanceof z.ZodError ? z.prettifyError(cause) : cause instanceof Error ? cause.message : "";
  return new TypeError(`\`${name}\` is not as it is written${why === "" ? "" : `: ${why}`}`, { cause });
}
