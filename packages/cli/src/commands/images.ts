import type { Verb } from "../verb.ts";
import { addVerbs, type VerbEntry } from "../verbs.ts";

const verbs: readonly VerbEntry[] = [
  { name: "ls", summary: "list the images that are here", load: () => import("./images/ls.ts") },
  { name: "pull", summary: "fetch an image from its registry", load: () => import("./images/pull.ts") },
  { name: "import", summary: "read images from an archive", load: () => import("./images/import.ts") },
  { name: "show", summary: "show all about images", load: () => import("./images/show.ts") },
  { name: "rm", summary: "remove images that no box uses", load: () => import("./images/rm.ts") },
  {
    name: "build-debian",
    summary: "make a Debian image without a registry",
    load: () => import("./images/build-debian.ts"),
  },
];

export function define(command: Verb): void {
  command.usage("[command]").addHelpText(
    "after",
    `
Without a command: ls.

Examples:
  $ boxrun images
  $ boxrun images show base
  $ boxrun images pull python
  $ boxrun images import image.tar
`,
  );
  addVerbs(command.defaultVerb("ls"), verbs);
}
