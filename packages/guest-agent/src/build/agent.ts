import { accessSync, existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { isErrno, locatePart } from "@boxrun/host";
import { z } from "zod";
import { goBuild } from "./go.ts";
import { hashSources } from "./sources.ts";

/** Raise it when the way of building changes. */
const builderVersion = 1;
const program = "boxrun-agent";

const pointerSchema = z.object({ version: z.literal(1), key: z.string().regex(/^[0-9a-f]{64}$/) });

/** Go's name of the CPU that boxes on this host have. NOT_SUPPORTED if the agent was never built for it. */
function guestArch(): "amd64" | "arm64" {
  if (process.arch === "x64") return "amd64";
  if (process.arch === "arm64") return "arm64";
  throw new BoxRunError("NOT_SUPPORTED", `build the agent: ${process.arch} hosts are not known; x64 and arm64 are`);
}

/**
 * Builds the agent, a static Linux program, in `<cacheDir>/agent/<sha256 of its sources>`, points `current.json` there at it, and gives
 * the program's path. With unchanged sources it does nothing. Safe to run twice at once.
 */
export async function buildAgent(options: {
  readonly cacheDir: string;
  /** The Go module of the agent. */
  readonly sourceDir: string;
  readonly log?: (line: string) => void;
}): Promise<string> {
  const arch = guestArch();
  const root = agentRoot(options.cacheDir);
  const key = await hashSources([options.sourceDir], `agent builder ${builderVersion} ${arch}`);
  const file = join(root, key, program);
  if (!existsSync(file)) {
    options.log?.(`building the agent from ${options.sourceDir}`);
    await mkdir(root, { recursive: true });
    const scratch = await mkdtemp(join(root, ".build-"));
    try {
      await goBuild({
        module: options.sourceDir,
        package: `./cmd/${program}`,
        outFile: join(scratch, program),
        arch,
      });
      await install(scratch, join(root, key));
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
  await point(root, key);
  return file;
}

export interface BuiltAgent {
  readonly file: string;
  /** sha256 of what it was built from, in hexadecimal. */
  readonly key: string;
}

/** The agent that boxes get: what was built here, else what a package brought. RUNTIME_ERROR with what to do if there is none. */
export function locateAgent(cacheDir: string): BuiltAgent {
  return locatePart({ operation: "find the guest agent", folder: "agent", cacheDir, read: readAgent });
}

function readAgent(root: string): BuiltAgent {
  const { key } = pointerSchema.parse(JSON.parse(readFileSync(join(root, "current.json"), "utf8")));
  const file = join(root, key, program);
  accessSync(file);
  return { file, key };
}

function agentRoot(cacheDir: string): string {
  return join(cacheDir, "agent");
}

/** Another build of the same sources may have been faster: its directory holds the same. */
async function install(scratch: string, target: string): Promise<void> {
  try {
    await rename(scratch, target);
  } catch (error) {
    if (!isErrno(error, "ENOTEMPTY") && !isErrno(error, "EEXIST")) throw error;
  }
}

/** Makes `key` the current one, and keeps the one before it, which a server may be starting boxes with. */
async function point(root: string, key: string): Promise<void> {
  const file = join(root, "current.json");
  let before = "";
  try {
    before = pointerSchema.parse(JSON.parse(readFileSync(file, "utf8"))).key;
  } catch {
    // The first one.
  }
  if (before === key) return;
  const scratch = `${file}.${process.pid}`;
  await writeFile(scratch, JSON.stringify({ version: 1, key }));
  await rename(scratch, file);
  for (const entry of await readdir(root, { withFileTypes: true })) {
    // Hidden ones are builds under way.
    if (!entry.isDirectory() || entry.name.startsWith(".") || [key, before].includes(entry.name)) continue;
    await rm(join(root, entry.name), { recursive: true, force: true });
  }
}
