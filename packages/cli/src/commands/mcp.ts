import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";
import { version } from "../version.ts";

export function define(command: Verb): void {
  command
    .option("--ephemeral", "remove the boxes that the session makes when it ends")
    .addHelpText(
      "after",
      `
Serves BoxRun's tools to an agent, over standard input and output: an editor or an agent that speaks the Model Context Protocol starts it by itself, once it
is told to. docs/mcp.md has the text for Claude Code, Claude Desktop, Cursor, VS Code, Codex and Zed. The server has the same at http://127.0.0.1:9090/mcp.

Examples:
  $ boxrun mcp
  $ boxrun mcp --ephemeral
`,
    )
    .action((options: { readonly ephemeral?: boolean }) =>
      withServer(command, "mcp", async ({ client, signal, bringBack }) => {
        const { serveStdio } = await import("@boxrun/mcp");
        await serveStdio({ client, version, ephemeral: options.ephemeral ?? false, signal, ready: bringBack });
      }),
    );
}
