import { readFileSync } from "node:fs";
import type { Environment } from "@boxrun/contract";
import { type Command, InvalidArgumentError } from "commander";

/** The options that set variables. What is given alone wins over what a file has. */
export interface EnvironmentOptions {
  readonly env?: Environment;
  readonly envFile?: Environment;
  readonly secretEnv?: Environment;
}

/** `whose`: what the variables are for, as the help of `-e` tells it. */
export function addEnvironmentOptions(command: Command, whose: string): Command {
  return command
    .option("-e, --env <name=value>", `${whose} (repeatable; a NAME alone passes on its value here)`, environmentEntry)
    .option(
      "--secret-env <name=value>",
      "the same, and its value is shown nowhere (a NAME alone keeps it off this line)",
      environmentEntry,
    )
    .option("--env-file <file>", "the same from a file, a line each (repeatable; # begins a comment)", environmentFile);
}

/** As the contract spells it; nothing where no variable is set. */
export function environmentInput({ env, envFile, secretEnv }: EnvironmentOptions): {
  env?: Environment;
  secret_env?: string[];
} {
  if (env === undefined && envFile === undefined && secretEnv === undefined) return {};
  return {
    env: { ...envFile, ...env, ...secretEnv },
    ...(secretEnv === undefined ? {} : { secret_env: Object.keys(secretEnv) }),
  };
}

/** `K=V`, or `K` for the value that it has here. */
export function environmentEntry(text: string, previous: Environment = {}): Environment {
  const split = text.indexOf("=");
  const name = split === -1 ? text : text.slice(0, split);
  if (name === "") throw new InvalidArgumentError("It must be NAME=VALUE, or the NAME of a variable that is set here.");
  const value = split === -1 ? process.env[name] : text.slice(split + 1);
  if (value === undefined) throw new InvalidArgumentError(`There is no variable ${name} here; give NAME=VALUE.`);
  if (split === -1 && isReplaced(name, value)) throw new InvalidArgumentError(`The value of ${name} is not UTF-8.`);
  return { ...previous, [name]: value };
}

/**
 * Docker's format: each line as `-e` takes it, values as they stand, quotes and all. Empty lines and those that begin with `#` say
 * nothing. Of what can't be read the line is named, never shown: it may be a secret.
 */
export function environmentFile(file: string, previous: Environment = {}): Environment {
  let environment = previous;
  for (const [index, line] of linesOf(file).entries()) {
    const entry = line.trimStart();
    if (entry === "" || entry.startsWith("#")) continue;
    const [name = ""] = entry.split("=", 1);
    if (name === "" || /\s/.test(name))
      throw new InvalidArgumentError(`Line ${index + 1} is neither NAME=VALUE nor a NAME.`);
    try {
      environment = environmentEntry(entry, environment);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      throw new InvalidArgumentError(`Line ${index + 1}: ${error.message}`);
    }
  }
  return environment;
}

function linesOf(file: string): string[] {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    throw new InvalidArgumentError(`It can't be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content).split(/\r?\n/);
  } catch {
    throw new InvalidArgumentError("It is not UTF-8.");
  }
}

/** Whether Node has put U+FFFD in place of bytes in a variable's value that are not UTF-8. Where the system does not tell: no. */
function isReplaced(name: string, value: string): boolean {
  if (!value.includes("\ufffd")) return false;
  try {
    return !readFileSync("/proc/self/environ").includes(`${name}=${value}`);
  } catch {
    return false;
  }
}
