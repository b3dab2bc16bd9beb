import type { CreateBoxInput } from "boxrun-sdk";
import { secondsText } from "../../util/time.ts";
import { shellLine } from "../../util/words.ts";

/** What is not as the server would make it by itself, in the order in which people say it. */
function givenOf(input: CreateBoxInput): [string, unknown][] {
  const usual: Readonly<Record<string, unknown>> = { cpu: 2, memory_mb: 1024, disk_size_gb: 8, network: false };
  const { image: _, ...rest } = input;
  return Object.entries(rest).filter(([name, value]) => value !== undefined && value !== null && usual[name] !== value);
}

/** The same as a command. */
export function createCommand(input: CreateBoxInput): string {
  return shellLine(["boxrun", "create", input.image, ...boxOptions(input)]);
}

export function runCommand(input: CreateBoxInput, cmd: readonly string[]): string {
  return shellLine(["boxrun", "run", ...boxOptions(input), input.image, ...(cmd.length === 0 ? [] : ["--", ...cmd])]);
}

function boxOptions(input: CreateBoxInput): string[] {
  return givenOf(input).flatMap(([name]): string[] => {
    if (name === "name") return ["--name", String(input.name)];
    if (name === "cpu") return ["--cpu", String(input.cpu)];
    if (name === "memory_mb") return ["--memory", String(input.memory_mb)];
    if (name === "disk_size_gb") return ["--disk", String(input.disk_size_gb)];
    if (name === "network") return ["--network"];
    if (name === "workdir") return ["--workdir", String(input.workdir)];
    if (name === "env") {
      const shown = Object.entries(input.env ?? {}).filter(([key]) => !isSecret(input, key));
      return shown.flatMap(([key, value]) => ["--env", `${key}=${value}`]);
    }
    // A name alone: the shell's own variable has the value.
    if (name === "secret_env") return (input.secret_env ?? []).flatMap((key) => ["--secret-env", key]);
    if (name === "ports") return (input.ports ?? []).flatMap((port) => ["--publish", mappingText(port)]);
    if (name === "labels")
      return Object.entries(input.labels ?? {}).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
    if (name === "ttl_seconds") return ["--ttl", secondsText(input.ttl_seconds ?? 0)];
    if (name === "on_expiry") return input.on_expiry === "remove" ? ["--rm"] : [];
    return (input.volumes ?? []).flatMap(({ host_path, guest_path, readonly }) => [
      "--volume",
      `${host_path}:${guest_path}${readonly ? ":ro" : ""}`,
    ]);
  });
}

function isSecret(input: CreateBoxInput, name: string): boolean {
  return input.secret_env?.includes(name) ?? false;
}

function mappingText({ guest_port, host_port, host_ip }: NonNullable<CreateBoxInput["ports"]>[number]): string {
  if (host_port === undefined) return String(guest_port);
  const address = host_ip === undefined ? "" : `${host_ip.includes(":") ? `[${host_ip}]` : host_ip}:`;
  return `${address}${host_port}:${guest_port}`;
}

/** A value that is not shown: the program has it from its own environment. */
class FromEnvironment {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** As a program would write it: without the values that are not to be shown, and without what is the usual. */
function written(input: CreateBoxInput): [string, unknown][] {
  return givenOf(input)
    .filter(([name, value]) => name !== "on_expiry" || value !== "stop")
    .map(([name, value]) => {
      if (name !== "env") return [name, value];
      const env = Object.entries(input.env ?? {}).map(
        ([key, text]) => [key, isSecret(input, key) ? new FromEnvironment(key) : text] as const,
      );
      return [name, Object.fromEntries(env)];
    });
}

/** The same as a program. */
export function createTypeScript(input: CreateBoxInput, baseUrl: string): string {
  const request = Object.fromEntries([["image", input.image], ...written(input)]);
  return [
    'import { BoxRunClient } from "boxrun-sdk";',
    "",
    `await using boxrun = new BoxRunClient({ baseUrl: ${JSON.stringify(baseUrl)} });`,
    `const box = await boxrun.boxes.create(${objectLiteral(request)});`,
    "",
  ].join("\n");
}

function objectLiteral(value: Readonly<Record<string, unknown>>): string {
  // The mark stands in no text: a control character is escaped in JSON, and so is every quote.
  const mark = (one: unknown) => (one instanceof FromEnvironment ? `\u0001${one.name}` : one);
  const text = JSON.stringify(value, (_, one) => mark(one), 2)
    .replace(/"\\u0001((?:[^"\\]|\\.)*)"/g, (_, name: string) => `process.env[${JSON.stringify(name)}] ?? ""`)
    .replace(/process\.env\["([A-Za-z_]\w*)"\]/g, "process.env.$1")
    .replace(/^(\s*)"([A-Za-z_]\w*)":/gm, "$1$2:");
  return text.length < 80 ? text.replace(/\n\s*/g, " ") : text;
}

export function createPython(input: CreateBoxInput): string {
  const named = written(input).map(([name, value]) => `${name}=${pythonLiteral(value)}`);
  const all = [pythonLiteral(input.image), ...named];
  const inOne = all.join(", ");
  const call = inOne.length < 60 ? inOne : `\n    ${all.join(",\n    ")},\n`;
  const imports = (input.secret_env ?? []).length === 0 ? [] : ["import os", ""];
  return [
    ...imports,
    "from boxrun_sdk import BoxRun",
    "",
    "boxrun = BoxRun()",
    `box = boxrun.create(${call})`,
    "",
  ].join("\n");
}

function pythonLiteral(value: unknown): string {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value instanceof FromEnvironment) return `os.environ[${JSON.stringify(value.name)}]`;
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, one]) => `${JSON.stringify(key)}: ${pythonLiteral(one)}`)
      .join(", ")}}`;
  }
  return JSON.stringify(value);
}
