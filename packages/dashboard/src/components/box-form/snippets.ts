import type { CreateBoxInput } from "boxrun-sdk";
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
    if (name === "env") return Object.entries(input.env ?? {}).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
    return (input.volumes ?? []).flatMap(({ host_path, guest_path, readonly }) => [
      "--volume",
      `${host_path}:${guest_path}${readonly ? ":ro" : ""}`,
    ]);
  });
}

/** The same as a program. */
export function createTypeScript(input: CreateBoxInput, baseUrl: string): string {
  const request = Object.fromEntries([["image", input.image], ...givenOf(input)]);
  return [
    'import { BoxRunClient } from "boxrun-sdk";',
    "",
    `await using boxrun = new BoxRunClient({ baseUrl: ${JSON.stringify(baseUrl)} });`,
    `const box = await boxrun.boxes.create(${objectLiteral(request)});`,
    "",
  ].join("\n");
}

function objectLiteral(value: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(value, null, 2).replace(/^(\s*)"([A-Za-z_]\w*)":/gm, "$1$2:");
  return text.length < 80 ? text.replace(/\n\s*/g, " ") : text;
}

export function createPython(input: CreateBoxInput): string {
  const named = givenOf(input).map(([name, value]) => `${name}=${pythonLiteral(value)}`);
  const all = [pythonLiteral(input.image), ...named];
  const inOne = all.join(", ");
  const call = inOne.length < 60 ? inOne : `\n    ${all.join(",\n    ")},\n`;
  return ["from boxrun_sdk import BoxRun", "", "boxrun = BoxRun()", `box = boxrun.create(${call})`, ""].join("\n");
}

function pythonLiteral(value: unknown): string {
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, one]) => `${JSON.stringify(key)}: ${pythonLiteral(one)}`)
      .join(", ")}}`;
  }
  return JSON.stringify(value);
}
