import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { CliError } from "../failure.ts";

/** This user's own server on this host: always there, in no file. */
export const localContext = "local";

const contextSchema = z.strictObject({
  /** As `--host` takes it. */
  host: z.string(),
  /** A secret: it is sent to that server and shown to nobody. */
  token: z.string().optional(),
});

const contextsSchema = z.strictObject({
  current: z.string().default(localContext),
  contexts: z.record(z.string(), contextSchema),
});
type Contexts = z.infer<typeof contextsSchema>;

/** Settings of the command, as the XDG base directories have it. */
export function configDirOf(env: NodeJS.ProcessEnv): string {
  return resolve(env.XDG_CONFIG_HOME || join(homedir(), ".config"), "boxrun");
}

export function contextsFile(env: NodeJS.ProcessEnv): string {
  return join(configDirOf(env), "contexts.json");
}

/** CONFIG_FILE, with the file's name, for one that can't be read or is no such file. */
export function readContexts(env: NodeJS.ProcessEnv): Contexts {
  const path = contextsFile(env);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return { current: localContext, contexts: {} };
    throw brokenFile(path, reason(error));
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Not the parser's own words: they quote the text, and a token may be in it.
    throw brokenFile(path, "it is no JSON");
  }
  const parsed = contextsSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw brokenFile(path, `${issue?.path.join(".") || "all of it"}: ${issue?.message ?? "not as expected"}`);
}

/** All or nothing, and for this user's eyes alone. */
export function writeContexts(env: NodeJS.ProcessEnv, contexts: Contexts): void {
  const path = realPath(contextsFile(env));
  const temporary = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(temporary, `${JSON.stringify(contexts, undefined, 2)}\n`, { mode: 0o600, flag: "wx", flush: true });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new CliError("CONFIG_FILE", `Cannot write the contexts to ${path}: ${reason(error)}`);
  }
}

/** A file that is a link into somebody's dotfiles stays one. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function brokenFile(path: string, why: string): CliError {
  return new CliError(
    "CONFIG_FILE",
    `Cannot read the contexts in ${path}: ${why}`,
    "Mend that file, or move it away and add the contexts anew with `boxrun context add`.",
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
