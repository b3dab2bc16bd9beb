import { readFile } from "node:fs/promises";
import { text as readText } from "node:stream/consumers";
import { localContext, readContexts, writeContexts } from "../../contexts/file.ts";
import { CliError } from "../../failure.ts";
import { reporterOf } from "../../session.ts";
import { parseHost } from "../../target.ts";
import type { Verb } from "../../verb.ts";

interface Options {
  readonly host?: string;
  readonly tokenStdin?: boolean;
  readonly tokenFile?: string;
  readonly use?: boolean;
  readonly force?: boolean;
}

export function define(command: Verb): void {
  command
    .argument("<name>", "what to call it: letters, digits, - _ .")
    // Not a required option of commander's: its lack would be told in place of the mistyped `--hots`.
    .option("--host <address>", "needed; the server: unix:///path, http://HOST:PORT or https://HOST")
    .option("--token-stdin", "read its token from standard input")
    .option("--token-file <file>", "read its token from a file")
    .option("--use", "talk to it from now on")
    .option("-f, --force", "also if there is a context of that name: it is replaced")
    .addHelpText(
      "after",
      `
The token is kept in a file that you alone can read (see \`boxrun context show\`), and is shown by no command. A context without
one takes BOXRUN_TOKEN.

Examples:
  $ boxrun context add lab --host https://boxes.example.org --token-file ~/lab-token
  $ pass show boxrun | boxrun context add lab --host https://boxes.example.org --token-stdin --use
  $ boxrun context add shared --host unix:///srv/boxrun/boxrun.sock
`,
    )
    .action((name: string, options: Options) => add(command, name, options));
}

async function add(command: Verb, name: string, options: Options): Promise<void> {
  const { host } = options;
  requireName(name);
  if (host === undefined) {
    throw new CliError(
      "USAGE",
      "--host is missing: a context is a server's address",
      "Give --host unix:///path/to/boxrun.sock, http://HOST:PORT or https://HOST[:PORT].",
    );
  }
  parseHost("--host", host);
  const { env } = process;
  if (Object.hasOwn(readContexts(env).contexts, name) && !options.force) {
    throw new CliError("USAGE", `There is a context ${name} already`, "--force replaces it.");
  }
  const token = await readToken(options);
  // Read anew: the token may have been typed, which takes its time.
  const known = readContexts(env);
  const context = { host, ...(token === undefined ? {} : { token }) };
  writeContexts(env, {
    current: options.use ? name : known.current,
    contexts: { ...known.contexts, [name]: context },
  });
  const reporter = reporterOf(command);
  if (token !== undefined && isReadableOnTheWay(host)) {
    reporter.note(`Mind that ${host} has no TLS: whoever is on the way can read the token. Prefer https://.`, { host });
  }
  await reporter.result({ name, host, token: token !== undefined, current: options.use ?? false }, () => `${name}\n`);
}

function requireName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name)) {
    throw new CliError(
      "USAGE",
      `${JSON.stringify(name)} can't be a context's name`,
      "Use letters, digits, - _ and . (64 at most).",
    );
  }
  if (name === localContext) {
    throw new CliError("USAGE", `${localContext} is your own server on this host, always`, "Choose another name.");
  }
}

async function readToken({ tokenStdin, tokenFile }: Options): Promise<string | undefined> {
  if (tokenStdin && tokenFile !== undefined) {
    throw new CliError("USAGE", "--token-stdin and --token-file: the token can come from one place alone");
  }
  if (!tokenStdin && tokenFile === undefined) return undefined;
  const [place, content] =
    tokenFile === undefined ? ["standard input", await readInput()] : [tokenFile, await readTokenFile(tokenFile)];
  const token = content.trim();
  // As the server's own rule has it: anything else could not be a header.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new CliError("USAGE", `${place} holds no token: it must be printable ASCII without spaces, on one line`);
  }
  return token;
}

function readInput(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write("Token (it shows; end with Enter and Ctrl-D): ");
  return readText(process.stdin);
}

function readTokenFile(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw new CliError(
        "HOST_FILE",
        `There is no file ${path} to read the token from; no context was added`,
        "Give the token's file, or --token-stdin; a context without a token takes BOXRUN_TOKEN.",
      );
    }
    throw new CliError("HOST_FILE", `Cannot read the token: ${error instanceof Error ? error.message : String(error)}`);
  });
}

function isReadableOnTheWay(host: string): boolean {
  if (!host.startsWith("http://")) return false;
  const { hostname } = new URL(host);
  return !(hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname));
}
