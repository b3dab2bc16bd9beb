import { isAbsolute, resolve } from "node:path";
import type { Labels, PullPolicy, Volume } from "@boxrun/contract";
import { pullPolicies } from "@boxrun/contract/plain";
import { type Command, InvalidArgumentError, Option } from "commander";
import { addEnvironmentOptions, type EnvironmentOptions, environmentInput } from "./environment-options.ts";
import { CliError } from "./failure.ts";
import { type PortMapping, portMapping } from "./port-mapping.ts";
import { gigabytes, megabytes, seconds, wholeSeconds } from "./units.ts";
import { operandsIn, type Verb } from "./verb.ts";

/** Parsers of option values; what they refuse is a usage error (exit code 2). */

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("It must be a whole number above 0.");
  }
  return value;
}

/** Whole, 0 or more. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError("It must be a whole number, 0 or more.");
  }
  return value;
}

/** `HOST:GUEST`, `HOST:GUEST:ro` or `…:rw`. A relative host path is one below the current directory. */
export function volume(text: string, previous: readonly Volume[] = []): Volume[] {
  const match = /^(?<host>.+?):(?<guest>\/[^:]*)(?::(?<mode>ro|rw))?$/.exec(text);
  const { host, guest, mode } = match?.groups ?? {};
  if (host === undefined || guest === undefined) {
    throw new InvalidArgumentError("It must be HOST:GUEST or HOST:GUEST:ro, with an absolute GUEST.");
  }
  return [...previous, { host_path: resolve(host), guest_path: guest, readonly: mode === "ro" }];
}

export function absolutePath(text: string): string {
  if (!isAbsolute(text)) throw new InvalidArgumentError("It must be an absolute path in the box.");
  return text;
}

/** The options that say what a box is like: of `create`, `run` and `shell`. */
export interface BoxOptions {
  readonly name?: string;
  readonly cpu?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly network?: boolean;
  readonly volume?: Volume[];
  readonly publish?: PortMapping[];
  readonly label?: Labels;
  readonly ttl?: number;
  /** With a `ttl`: the box is removed then. */
  readonly rm?: boolean;
  readonly pull?: PullPolicy;
}

/** `diskShort`: `-d, ` but where that means to detach. */
export function addBoxOptions(command: Verb, diskShort = "-d, "): Verb {
  return command
    .rewritesWords((words) => refuseNetworkValue(command, words))
    .option("-n, --name <name>", "a name to call the box by")
    .option("--cpu <count>", "virtual CPUs (default: 2)", positiveInteger)
    .option("-m, --memory <size>", "memory: 512m, 2g; in MB without a unit (default: 1024)", megabytes)
    .option(`${diskShort}--disk <size>`, "disk: 20g; in GB without a unit (default: 8)", gigabytes)
    .option("--network", "let the box reach the network (default: it has none)")
    .option("-v, --volume <host:guest[:ro]>", "share a directory of this host (repeatable)", volume)
    .option(
      "-p, --publish <port:box-port>",
      "reach a port of the box at one of the server's host (repeatable)",
      published,
    )
    .option("-l, --label <name=value>", "a label to find the box by (repeatable)", label)
    .option("--ttl <time>", "stop the box after so long: 2h, 30m; with --rm remove it", wholeSeconds)
    .addOption(new Option("--pull <when>", "pull the image first (default: missing)").choices(pullPolicies));
}

/** docker's --network has a value, which would be an image here. What comes behind the image of a program is the program's. */
function refuseNetworkValue(command: Verb, words: readonly string[]): string[] {
  const at = words.indexOf("--network");
  const value = words[at + 1] ?? "";
  const before = operandsIn(command.options, words.slice(0, at));
  if (at === -1 || !["none", "host", "bridge"].includes(value) || (before > 0 && command.isProgramFollowing))
    return [...words];
  throw new CliError(
    "USAGE",
    `--network has no value, and ${value} would be an image`,
    value === "none" ? "Leave it out: a box has no network without it." : "--network alone gives the box the network.",
  );
}

/** As the contract spells it; what is not given is left to the server's defaults. */
export function boxInput(options: BoxOptions) {
  return {
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.cpu === undefined ? {} : { cpu: options.cpu }),
    ...(options.memory === undefined ? {} : { memory_mb: options.memory }),
    ...(options.disk === undefined ? {} : { disk_size_gb: options.disk }),
    ...(options.network === undefined ? {} : { network: options.network }),
    ...(options.volume === undefined ? {} : { volumes: options.volume }),
    ...(options.label === undefined ? {} : { labels: options.label }),
    ...(options.ttl === undefined ? {} : { ttl_seconds: options.ttl }),
    ...(options.ttl !== undefined && options.rm ? { on_expiry: "remove" as const } : {}),
    ...(options.publish === undefined ? {} : { ports: options.publish.map(publishRequest) }),
  };
}

/** `NAME=VALUE`, or `NAME` for an empty value. */
function label(text: string, previous: Labels = {}): Labels {
  const split = text.indexOf("=");
  const name = split === -1 ? text : text.slice(0, split);
  if (name === "") throw new InvalidArgumentError("It must be NAME=VALUE.");
  return { ...previous, [name]: split === -1 ? "" : text.slice(split + 1) };
}

function published(text: string, previous: readonly PortMapping[] = []): PortMapping[] {
  return [...previous, portMapping(text)];
}

/** What is not given is left to the server's defaults: loopback, and a port that is free. */
function publishRequest({ hostIp, hostPort, boxPort }: PortMapping) {
  return {
    guest_port: boxPort,
    ...(hostPort === undefined ? {} : { host_port: hostPort }),
    ...(hostIp === undefined ? {} : { host_ip: hostIp }),
  };
}

/** The options that say how a program runs: of `exec` and `run`. */
export interface ProgramOptions extends EnvironmentOptions {
  readonly workdir?: string;
  readonly user?: string;
  readonly timeout?: number;
  readonly interactive?: boolean;
  readonly tty?: boolean;
}

export function addProgramOptions(command: Command): Command {
  return addEnvironmentOptions(command, "set a variable")
    .option("-w, --workdir <path>", "where the program starts (default: the image's, else /root)", absolutePath)
    .option("-u, --user <user>", "who runs it: a name or uid, with :group or :gid (default: the image's, else root)")
    .option("--timeout <time>", "end the program after so long: 90s, 5m; in seconds without a unit", seconds)
    .option("-i, --interactive", "pass standard input on to the program")
    .option("-t, --tty", "run the program in a terminal: this one");
}

export function execInput(cmd: string[], options: ProgramOptions) {
  return {
    ...(cmd.length === 0 ? {} : { cmd }),
    ...environmentInput(options),
    ...(options.workdir === undefined ? {} : { workdir: options.workdir }),
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.timeout === undefined ? {} : { timeout_ms: Math.ceil(options.timeout * 1000) }),
    ...(options.interactive ? { stdin: true } : {}),
    ...(options.tty ? { tty: true } : {}),
  };
}
