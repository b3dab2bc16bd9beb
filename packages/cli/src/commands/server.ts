import type { Verb } from "../verb.ts";
import { addVerbs, type VerbEntry } from "../verbs.ts";

const verbs: readonly VerbEntry[] = [
  { name: "start", summary: "start your server in the background", load: () => import("./server/start.ts") },
  { name: "stop", summary: "stop your server; boxes run on", load: () => import("./server/stop.ts") },
  { name: "status", summary: "show whether your server runs", load: () => import("./server/status.ts") },
  { name: "install", summary: "let systemd run your server", load: () => import("./server/install.ts") },
  { name: "uninstall", summary: "end that again", load: () => import("./server/uninstall.ts") },
  { name: "logs", summary: "show your server's log", load: () => import("./server/logs.ts") },
];

export function define(command: Verb): void {
  command.usage("<command>").addHelpText(
    "after",
    `
Your server is the one of your state directory on this host: ~/.boxrun, or BOXRUN_STATE_DIR. Other commands start it when they need it.
A server that is elsewhere is managed there.

Examples:
  $ boxrun server status
  $ boxrun server logs -f
  $ boxrun server stop
  $ boxrun server install
`,
  );
  addVerbs(command, verbs);
}
