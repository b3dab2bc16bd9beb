import { mkdtemp, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { SignInLink } from "@boxrun/contract";
import { openBrowser } from "../browser.ts";
import { CliError } from "../failure.ts";
import { withServer } from "../session.ts";
import type { Target } from "../target.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly print?: boolean;
}

export function define(command: Verb): void {
  command
    .option("--print", "print a link that signs a browser in, and open none")
    .addHelpText(
      "after",
      `
Opens the dashboard in your browser. Your own server knows you by your user; with any other the browser is signed in by a link that is good once, for two
minutes. It stays signed in for 30 days, or until you sign out there.

Examples:
  $ boxrun ui
  $ boxrun ui --print
  $ boxrun --context far ui
`,
    )
    .action((options: Options) =>
      withServer(command, "ui", async ({ client, reporter, target, signal }) => {
        const link = await client.signIn.createLink({ signal });
        const url = addressOf(link, target);
        const needsLink = !(await isOwnUser(target));
        // Whoever asks for the link wants it for another browser.
        const shown = needsLink || options.print === true ? url : withoutToken(url);
        const opened = options.print !== true && (await open(needsLink ? url : shown, needsLink));
        const result = { url: shown, expires_at: shown === url ? link.expires_at : null, opened };
        await reporter.result(result, () => described(shown, { opened, signsIn: shown === url }));
      }),
    );
}

/** Under the name that the server was called by, or its own. NO_ADDRESS. */
function addressOf({ path, url }: SignInLink, target: Target): string {
  if (target.kind === "url") return new URL(path, target.baseUrl).href;
  if (url !== null) return url;
  throw new CliError(
    "NO_ADDRESS",
    "The server listens on its Unix socket alone, which no browser can call",
    "It was started with --no-tcp, or its port is another's: `boxrun server stop`, and `BOXRUN_PORT=0 boxrun ui` starts it with any free one.",
  );
}

function withoutToken(url: string): string {
  return url.replace(/#.*$/, "");
}

/** Whether the server would let this user's browser in without more ado. */
async function isOwnUser(target: Target): Promise<boolean> {
  if (target.kind !== "socket" || process.platform !== "linux") return false;
  return (await stat(target.socketPath)).uid === process.getuid?.();
}

/** A link with a token is opened by way of a file: every user of the host sees what a program is called with, and could be quicker. */
async function open(url: string, isSecret: boolean): Promise<boolean> {
  const { env } = process;
  if (!isSecret) return openBrowser(url, env);
  // It is of no use to anybody once the browser has used it, or in two minutes.
  const file = join(await mkdtemp(join(env.XDG_RUNTIME_DIR || tmpdir(), "boxrun-ui-")), "index.html");
  const page = `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0; url=${escaped(url)}">\n`;
  await writeFile(file, page, { mode: 0o600 });
  return openBrowser(pathToFileURL(file).href, env);
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function described(url: string, { opened, signsIn }: { readonly opened: boolean; readonly signsIn: boolean }): string {
  const good = signsIn ? " It is good once, for two minutes." : "";
  return opened
    ? `The dashboard opens in your browser. If it does not, open this there.${good}\n${url}\n`
    : `Open this in your browser.${good}\n${url}\n`;
}
