import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CliError } from "../failure.ts";
import { homeDir } from "../home.ts";

/** This user's own server on this host: always there, in no file. */
export const localContext = "local";

interface Context {
  /** As `--host` takes it. */
  readonly host: string;
  /** A secret: it is sent to that server and shown to nobody. */
  readonly token?: string;
}

interface Contexts {
  readonly current: string;
  readonly contexts: Readonly<Record<string, Context>>;
}

/** Settings of the command, as the XDG base directories have it. */
export function configDirOf(env: NodeJS.ProcessEnv): string {
  return resolve(env.XDG_CONFIG_HOME || join(homeDir(), ".config"), "boxrun");
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
  return parse(json, (what) => {
    throw brokenFile(path, what);
  });
}

/** By hand: every command reads this file, and the schema library takes longer to load than most commands do. */
function parse(json: unknown, refuse: (what: string) => never): Contexts {
  if (!isObject(json) || !isObject(json.contexts)) return refuse('it must be {"current": …, "contexts": {…}}');
  const { current = localContext, contexts, ...others } = json;
  if (typeof current !== "string") return refuse("current: must be a name");
  if (Object.keys(others).length > 0) return refuse(`${Object.keys(others).join(", ")}: not known`);
  const entries = Object.entries(contexts).map(([name, value]): [string, Context] => {
    const { host, token, ...more } = isObject(value) ? value : {};
    if (typeof host !== "string") return refuse(`contexts.${name}.host: must be an address`);
    if (token !== undefined && typeof token !== "string") return refuse(`contexts.${name}.token: must be a text`);
    if (Object.keys(more).length > 0) return refuse(`contexts.${name}.${Object.keys(more).join(", ")}: not known`);
    return [name, { host, ...(token === undefined ? {} : { token }) }];
  });
  return { current, contexts: Object.fromEntries(entries) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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
