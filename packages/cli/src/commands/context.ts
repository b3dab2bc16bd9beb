import type { Verb } from "../verb.ts";
import { addVerbs, type VerbEntry } from "../verbs.ts";

const verbs: readonly VerbEntry[] = [
  { name: "ls", summary: "list the contexts", load: () => import("./context/ls.ts"), withoutServer: true },
  { name: "add", summary: "keep the address of a server", load: () => import("./context/add.ts"), withoutServer: true },
  {
    name: "use",
    summary: "talk to this server from now on",
    load: () => import("./context/use.ts"),
    withoutServer: true,
  },
  { name: "show", summary: "show which server commands talk to", load: () => import("./context/show.ts") },
  { name: "rm", summary: "forget contexts", load: () => import("./context/rm.ts"), withoutServer: true },
];

export function define(command: Verb): void {
  command.usage("[command]").addHelpText(
    "after",
    `
A context is the address of a server, with its token, under a name. \`local\` is your own server on this host, and is always
there. Without a command: ls.

Which server a command talks to, the first that is given: --host, --context, BOXRUN_HOST, BOXRUN_CONTEXT, your own server if
BOXRUN_SOCKET or BOXRUN_STATE_DIR name it, the context in use, your own server.

Examples:
  $ boxrun context add lab --host https://boxes.example.org --token-file ~/lab-token
  $ boxrun context use lab
  $ boxrun --context local ls
`,
  );
  addVerbs(command.defaultVerb("ls"), verbs);
}
