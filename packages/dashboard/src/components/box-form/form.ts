import { createBoxRequestSchema, type OnExpiry } from "@boxrun/contract";
import type { CreateBoxInput } from "boxrun-sdk";
import { secondsOf } from "../../util/time.ts";

/** A box as it is typed. */
export interface BoxForm {
  readonly image: string;
  readonly name: string;
  readonly cpu: string;
  readonly memory_mb: string;
  readonly disk_size_gb: string;
  readonly network: boolean;
  readonly workdir: string;
  /** A `NAME=VALUE` a line. */
  readonly env: string;
  /** As `env`; shown nowhere. */
  readonly secret_env: string;
  /** A `HOST:GUEST` or `HOST:GUEST:ro` a line. */
  readonly volumes: string;
  /** A `PORT:BOX_PORT` a line, with an address in front or not, or a `BOX_PORT` alone. */
  readonly ports: string;
  /** A `NAME=VALUE` or `NAME` a line. */
  readonly labels: string;
  /** As `2h`, `1h30m`; empty: never. */
  readonly ttl_seconds: string;
  readonly on_expiry: OnExpiry;
}

export type BoxFormErrors = Partial<Record<keyof BoxForm, string>>;

export type ReadForm =
  | { readonly ok: true; readonly input: CreateBoxInput }
  | { readonly ok: false; readonly errors: BoxFormErrors };

export const emptyForm: BoxForm = {
  image: "base",
  name: "",
  cpu: "2",
  memory_mb: "1024",
  disk_size_gb: "8",
  network: false,
  workdir: "",
  env: "",
  secret_env: "",
  volumes: "",
  ports: "",
  labels: "",
  ttl_seconds: "",
  on_expiry: "stop",
};

const fieldNames = Object.keys(emptyForm);

function isField(name: unknown): name is keyof BoxForm {
  return typeof name === "string" && fieldNames.includes(name);
}

/** What is to be sent, or what is wrong with each field: by the contract's own schema, and in its words. */
export function readForm(form: BoxForm): ReadForm {
  const errors: BoxFormErrors = {};
  const secrets = readEnvironment(form.secret_env, "secret_env", errors);
  const env = { ...readEnvironment(form.env, "env", errors), ...secrets };
  const secretNames = Object.keys(secrets);
  const volumes = readVolumes(form.volumes, errors);
  const ports = readPorts(form.ports, errors);
  const labels = readLabels(form.labels);
  const ttl = form.ttl_seconds.trim();
  const input: CreateBoxInput = {
    image: form.image.trim(),
    cpu: numberOf(form.cpu),
    memory_mb: numberOf(form.memory_mb),
    disk_size_gb: numberOf(form.disk_size_gb),
    network: form.network,
    ...(form.name.trim() === "" ? {} : { name: form.name.trim() }),
    ...(form.workdir.trim() === "" ? {} : { workdir: form.workdir.trim() }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(secretNames.length === 0 ? {} : { secret_env: secretNames }),
    ...(volumes.length === 0 ? {} : { volumes }),
    ...(ports.length === 0 ? {} : { ports }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(ttl === "" ? {} : { ttl_seconds: secondsOf(ttl), on_expiry: form.on_expiry }),
  };
  for (const issue of createBoxRequestSchema.safeParse(input).error?.issues ?? []) {
    const { path } = issue;
    // Of a name that can't be one, what is wrong is told inside.
    const message = (issue.code === "invalid_key" && issue.issues[0]?.message) || issue.message;
    const [named, of] = path;
    const field = named === "env" && secretNames.includes(String(of)) ? "secret_env" : named;
    if (isField(field)) errors[field] ??= path.length > 1 ? `${path.slice(1).join(" ")} ${message}` : message;
  }
  if (Number.isNaN(input.ttl_seconds)) errors.ttl_seconds = "is no time: 30m, 8h, 1d12h";
  if (input.image === "") errors.image = "an image is needed";
  return Object.keys(errors).length === 0 ? { ok: true, input } : { ok: false, errors };
}

/** What is no number at all is left for the schema to refuse. */
function numberOf(text: string): number {
  return text.trim() === "" ? Number.NaN : Number(text);
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function readEnvironment(text: string, field: "env" | "secret_env", errors: BoxFormErrors): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [index, line] of linesOf(text).entries()) {
    const split = line.indexOf("=");
    if (split < 1) errors[field] ??= `line ${index + 1} is not NAME=VALUE`;
    else env[line.slice(0, split).trim()] = line.slice(split + 1);
  }
  return env;
}

function readVolumes(text: string, errors: BoxFormErrors) {
  return linesOf(text).flatMap((line, index) => {
    const { host, guest, mode } =
      /^(?<host>.+?):(?<guest>\/[^:]*)(?::(?<mode>ro|rw))?$/.exec(line.trim())?.groups ?? {};
    if (host === undefined || guest === undefined) {
      errors.volumes ??= `line ${index + 1} is not HOST:GUEST or HOST:GUEST:ro`;
      return [];
    }
    return [{ host_path: host, guest_path: guest, readonly: mode === "ro" }];
  });
}

function readPorts(text: string, errors: BoxFormErrors) {
  return linesOf(text).flatMap((line, index) => {
    const { ip, host, box } =
      /^(?:(?:(?<ip>[\d.]+|\[[\da-f:.]+\]):)?(?<host>\d+):)?(?<box>\d+)$/i.exec(line.trim())?.groups ?? {};
    if (box === undefined) {
      errors.ports ??= `line ${index + 1} is not PORT:BOX_PORT`;
      return [];
    }
    return [
      {
        guest_port: Number(box),
        ...(host === undefined ? {} : { host_port: Number(host) }),
        ...(ip === undefined ? {} : { host_ip: ip.replace(/^\[|\]$/g, "") }),
      },
    ];
  });
}

function readLabels(text: string): Record<string, string> {
  return Object.fromEntries(
    linesOf(text).map((line) => {
      const [name = "", ...value] = line.split("=");
      return [name.trim(), value.join("=").trim()];
    }),
  );
}
