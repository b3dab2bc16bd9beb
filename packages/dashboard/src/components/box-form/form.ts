import { createBoxRequestSchema } from "@boxrun/contract";
import type { CreateBoxInput } from "boxrun-sdk";

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
  /** A `HOST:GUEST` or `HOST:GUEST:ro` a line. */
  readonly volumes: string;
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
  volumes: "",
};

const fieldNames = Object.keys(emptyForm);

function isField(name: unknown): name is keyof BoxForm {
  return typeof name === "string" && fieldNames.includes(name);
}

/** What is to be sent, or what is wrong with each field: by the contract's own schema, and in its words. */
export function readForm(form: BoxForm): ReadForm {
  const errors: BoxFormErrors = {};
  const env = readEnvironment(form.env, errors);
  const volumes = readVolumes(form.volumes, errors);
  const input: CreateBoxInput = {
    image: form.image.trim(),
    cpu: numberOf(form.cpu),
    memory_mb: numberOf(form.memory_mb),
    disk_size_gb: numberOf(form.disk_size_gb),
    network: form.network,
    ...(form.name.trim() === "" ? {} : { name: form.name.trim() }),
    ...(form.workdir.trim() === "" ? {} : { workdir: form.workdir.trim() }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(volumes.length === 0 ? {} : { volumes }),
  };
  for (const { path, message } of createBoxRequestSchema.safeParse(input).error?.issues ?? []) {
    const [field] = path;
    if (isField(field)) errors[field] ??= path.length > 1 ? `${path.slice(1).join(" ")} ${message}` : message;
  }
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

function readEnvironment(text: string, errors: BoxFormErrors): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [index, line] of linesOf(text).entries()) {
    const split = line.indexOf("=");
    if (split < 1) errors.env ??= `line ${index + 1} is not NAME=VALUE`;
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
