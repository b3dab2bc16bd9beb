/** What people who know docker, E2B, ssh or virsh type, and what to type here; of a verb below another with that one's name. */
const habits: Readonly<Record<string, string>> = {
  ...each(["version"], "`boxrun --version`, and `boxrun info` for the server's"),
  ...each(["list", "dir"], "`boxrun ls` lists boxes, `boxrun ps` programs"),
  ...each(["delete", "remove", "del", "destroy", "terminate"], "`boxrun rm BOX` removes a box"),
  ...each(["prune", "clean", "cleanup"], "`boxrun gc` removes boxes that were stopped long ago"),
  ...each(
    ["top"],
    "`boxrun stats` shows what boxes use, `boxrun ps` lists what runs, `boxrun exec -it BOX top` shows it",
  ),
  ...each(["ssh", "enter", "connect", "console", "bash", "sh"], "`boxrun attach BOX` opens a shell in a box"),
  ...each(
    ["login", "logout"],
    "a registry's login is docker's or podman's; `boxrun attach BOX` opens a shell in a box",
  ),
  ...each(
    ["new", "init", "launch", "spawn", "make"],
    "`boxrun create IMAGE` makes a box, `boxrun run IMAGE PROGRAM` for one program",
  ),
  ...each(["restart", "reboot"], "`boxrun stop BOX && boxrun start BOX`"),
  ...each(["poweroff", "shutdown", "halt"], "`boxrun stop BOX` shuts a box down"),
  ...each(["show", "describe", "status", "get"], "`boxrun inspect BOX` shows a box, `boxrun server status` the server"),
  ...each(["events", "monitor"], "`boxrun ls --watch` follows boxes, `boxrun history` tells what was done"),
  ...each(
    ["copy", "upload", "download", "scp", "rsync", "export", "save"],
    "`boxrun cp` copies files to and from boxes",
  ),
  ...each(["load", "import"], "`boxrun images import ARCHIVE` takes images"),
  ...each(
    ["build"],
    "`boxrun images build-debian` makes an image of packages, `boxrun images import` takes one that another tool has built",
  ),
  ...each(
    ["container", "containers", "box", "boxes", "sandbox"],
    "`boxrun ls` lists boxes; what to do with one comes without a word before it",
  ),
  ...each(
    ["system"],
    "`boxrun df` says what takes the disk, `boxrun gc` removes boxes, `boxrun info` tells of the server",
  ),
  ...each(["images list"], "`boxrun images ls` lists them"),
  ...each(
    ["images inspect", "images describe", "images get", "images history"],
    "`boxrun images show IMAGE` tells what one has",
  ),
  ...each(["images load", "images add"], "`boxrun images import ARCHIVE` takes images"),
  ...each(
    ["images build"],
    "`boxrun images build-debian` makes one of packages, `boxrun images import` takes what another tool has built",
  ),
  ...each(["images remove", "images delete", "images prune"], "`boxrun images rm IMAGE` removes one that no box uses"),
  ...each(["images commit", "images create"], "`boxrun commit BOX NAME` makes one of a stopped box"),
  ...each(["images tag", "images push", "images save", "images export"], "that is not supported yet"),
  ...each(["server restart"], "`boxrun server stop`, and the next command starts it; boxes run on"),
  ...each(["server info", "server show"], "`boxrun server status`, and `boxrun info` for its limits"),
  ...each(["server enable"], "`boxrun server install` has systemd start it"),
  ...each(["context list"], "`boxrun context ls` lists them"),
  ...each(["context create", "context new", "context set"], "`boxrun context add NAME` adds one"),
  ...each(["context remove", "context delete"], "`boxrun context rm NAME` removes one"),
  ...each(["context switch", "context select"], "`boxrun context use NAME` goes to another server"),
  ...each(["image", "rmi"], "`boxrun images` lists them, `boxrun images rm` removes them"),
  ...each(["volume", "volumes", "mount"], "`boxrun create -v HOST:GUEST` shares a directory"),
  ...each(["network", "networks"], "`boxrun create --network` gives a box the network"),
  ...each(["daemon", "start-server", "up"], "`boxrun server start`; the first command does so, too"),
  ...each(["update", "self-update", "install"], "`boxrun upgrade` installs the newest boxrun"),
  ...each(["config", "contexts", "remote"], "`boxrun context` keeps the addresses of servers"),
  ...each(
    ["port", "expose", "publish", "port-forward", "tunnel", "proxy"],
    "`boxrun forward BOX 8080:80` reaches a port of a box, `boxrun create -p 8080:80` publishes it, `boxrun ports BOX` lists what listens",
  ),
  ...each(["signal"], "`boxrun kill -s SIGNAL BOX EXEC` sends one"),
  ...each(["snapshot", "checkpoint", "clone", "fork"], "`boxrun commit BOX NAME` makes an image of a stopped box"),
  ...each(["rename", "push", "tag"], "that is not supported yet"),
  ...each(["pause", "unpause", "suspend", "resume", "search", "diff", "compose"], "that is not supported yet"),
};

/** The same of options, whatever the verb. */
const optionHabits: Readonly<Record<string, string>> = {
  ...each(
    ["--privileged", "--cap-add", "--cap-drop", "--security-opt", "--userns"],
    "root in a box is root of a kernel of its own",
  ),
  ...each(["--restart"], "a box runs on without the server; `boxrun start BOX` boots a stopped one"),
  ...each(["--init"], "every box has an init of its own"),
  ...each(["--hostname"], "a box is called what --name says"),
  ...each(["--entrypoint"], "the program comes behind the image: `boxrun run IMAGE PROGRAM`"),
  ...each(["--image"], "the image is the first word: `boxrun create IMAGE`"),
  ...each(["--mount", "--tmpfs"], "`-v HOST:GUEST` shares a directory"),
  ...each(["--net"], "`--network` gives the box the network, and without it there is none"),
  ...each(["--publish-all", "-P", "--expose"], "`-p 8080:80` publishes a port"),
  ...each(["--gpus", "--device", "--platform", "--ulimit", "--dns"], "that is not supported yet"),
};

function each(words: readonly string[], meaning: string): Record<string, string> {
  return Object.fromEntries(words.map((word) => [word, meaning]));
}

export const meantWords: readonly string[] = Object.keys(habits);

export function meaningOf(word: string): string | undefined {
  return Object.hasOwn(habits, word) ? habits[word] : undefined;
}

export function meaningOfOption(flag: string): string | undefined {
  return Object.hasOwn(optionHabits, flag) ? optionHabits[flag] : undefined;
}

/** The one that differs by a slip of the finger: a letter too many, too few or another, two changed round; two of them in a longer word. */
export function suggestionFor(word: string, names: readonly string[]): string | undefined {
  const allowed = word.length < 5 ? 1 : 2;
  const near = names.map((name) => ({ name, slips: slipsBetween(word, name) })).filter(({ slips }) => slips <= allowed);
  return near.toSorted((a, b) => a.slips - b.slips)[0]?.name;
}

/** Damerau and Levenshtein's distance, of neighbours that change places. */
function slipsBetween(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let row = 1; row <= a.length; row += 1) {
    rows.push([row]);
    for (let column = 1; column <= b.length; column += 1) {
      const isSame = a[row - 1] === b[column - 1];
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const best = Math.min(
        at(row - 1, column) + 1,
        at(row, column - 1) + 1,
        at(row - 1, column - 1) + (isSame ? 0 : 1),
      );
      rows[row]?.push(isSwap ? Math.min(best, at(row - 2, column - 2) + 1) : best);
    }
  }
  return at(a.length, b.length);
}
