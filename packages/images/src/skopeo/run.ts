import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { BoxRunError, type ErrorCode } from "@boxrun/contract";
import { requireTool } from "@boxrun/host";
import { hostArchitecture } from "../oci/platform.ts";
import { maxDocumentBytes } from "../oci/schemas.ts";
import { findProgram } from "./programs.ts";

export interface SkopeoRun {
  /** For error messages: what is being done with what. */
  readonly operation: string;
  /** The code of an error that skopeo reports. */
  readonly errorCode: ErrorCode;
  /** Everything that skopeo keeps for a while goes here; what it is given lies beside. */
  readonly scratchDir: string;
  readonly signal: AbortSignal;
  /** A line of its progress report. */
  readonly onLine?: (line: string) => void;
}

/** Layers stay as they are: compressing them again would cost time and give the image another digest than its registry has. */
const copyOptions = ["--dest-oci-accept-uncompressed-layers"];

const outputLimitBytes = 64 * 1024;

/** Runs `skopeo copy` to its end. Fails as `run` says. */
export async function skopeoCopy(args: readonly string[], options: SkopeoRun): Promise<void> {
  await run(["copy", ...copyOptions, ...args], options, (stdout) => {
    createInterface({ input: stdout }).on("line", (line) => options.onLine?.(line));
  });
}

/** What `skopeo inspect` prints. Fails as `run` says. */
export async function skopeoInspect(args: readonly string[], options: SkopeoRun): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  await run(["inspect", ...args], options, (stdout) => {
    stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxDocumentBytes) chunks.push(chunk);
    });
  });
  if (bytes > maxDocumentBytes) throw new Error(`skopeo inspect printed ${bytes} bytes`);
  return Buffer.concat(chunks);
}

/**
 * Runs skopeo to its end; `read` gets its standard output. Rejects with `errorCode` and skopeo's own reason, RUNTIME_ERROR if there is no skopeo, and with the
 * signal's reason on an abort, when the process is gone.
 */
async function run(args: readonly string[], options: SkopeoRun, read: (stdout: Readable) => void): Promise<void> {
  const { operation, signal } = options;
  signal.throwIfAborted();
  const [program, ...before] = commandLine(operation);
  const child = spawn(program, [...before, ...globalOptions(), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: options.scratchDir },
  });
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-outputLimitBytes);
  });
  read(child.stdout);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    signal.throwIfAborted();
    if (code !== 0)
      throw new BoxRunError(
        codeFor(errors, options.errorCode),
        `${operation}: ${skopeoReason(errors, options.scratchDir)}`,
      );
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

/** A server that is killed takes its skopeo along, where util-linux's setpriv is there to arrange it. */
function commandLine(operation: string): [string, ...string[]] {
  const skopeo = requireTool("skopeo", operation);
  const setpriv = process.platform === "linux" ? findProgram("setpriv") : undefined;
  return setpriv === undefined ? [skopeo] : [setpriv, "--pdeathsig", "KILL", "--", skopeo];
}

function globalOptions(): string[] {
  const policies = ["/etc/containers/policy.json", join(homedir(), ".config/containers/policy.json")];
  // The administrator's rules about signatures hold where there are any; without the file skopeo would refuse to do anything.
  const policy = policies.some((file) => existsSync(file)) ? [] : ["--insecure-policy"];
  return [...policy, "--override-os", "linux", "--override-arch", hostArchitecture];
}

function codeFor(errors: string, code: ErrorCode): ErrorCode {
  return /no space left on device|disk quota exceeded/i.test(errors) ? "RUNTIME_ERROR" : code;
}

/** The useful part of skopeo's last words, which are logrus lines: `time="…" level=fatal msg="…"`. */
function skopeoReason(errors: string, scratchDir: string): string {
  const lines = errors.trim().split("\n");
  const fatal = lines.findLast((line) => line.includes("level=fatal")) ?? lines.at(-1) ?? "";
  const quoted = /msg=("(?:[^"\\]|\\.)*")/.exec(fatal)?.[1];
  const message = quoted === undefined ? fatal : unquote(quoted);
  const useful = message
    .replaceAll(`${dirname(scratchDir)}/`, "")
    .replace(/^initializing source \S+: /, "")
    .replace(/^pinging container registry (\S+): /, "$1: ")
    .replace(/^writing blob: happened during read: /, "a layer arrived damaged: ");
  return useful.slice(0, 500) || "skopeo failed and said nothing";
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text.slice(1, -1);
  }
}
