/** What people who know docker, E2B, ssh or virsh type, and what to type here. */
const habits: Readonly<Record<string, string>> = {
  ...each(["version"], "`boxrun --version`, and `boxrun info` for the server's"),
  ...each(["list", "dir"], "`boxrun ls` lists boxes, `boxrun ps` programs"),
  ...each(["delete", "remove", "del", "destroy", "terminate"], "`boxrun rm BOX` removes a box"),
  ...each(["prune", "clean", "cleanup"], "`boxrun gc` removes boxes that were stopped long ago"),
  ...each(["top", "stats"], "`boxrun ps` lists what runs, `boxrun exec -it BOX top` shows it"),
  ...each(["ssh", "enter", "connect", "login", "console", "bash", "sh"], "`boxrun attach BOX` opens a shell in a box"),
  ...each(
    ["new", "init", "launch", "spawn", "make"],
    "`boxrun create IMAGE` makes a box, `boxrun run IMAGE PROGRAM` for one program",
  ),
  ...each(["restart", "reboot"], "`boxrun stop BOX && boxrun start BOX`"),
  ...each(["poweroff", "shutdown", "halt"], "`boxrun stop BOX` shuts a box down"),
  ...each(["show", "describe", "status", "get"], "`boxrun inspect BOX` shows a box, `boxrun server status` the server"),
  ...each(["events", "watch", "monitor"], "`boxrun ls --watch` follows boxes"),
  ...each(
    ["copy", "upload", "download", "scp", "rsync", "export", "save"],
    "`boxrun cp` copies files to and from boxes",
  ),
  ...each(["load", "import"], "`boxrun images import ARCHIVE` takes images"),
  ...each(
    ["build"],
    "`boxrun images build-debian` makes an image of packages, `boxrun images import` takes one that another tool has built",
  ),
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

function each(words: readonly string[], meaning: string): Record<string, string> {
  return Object.fromEntries(words.map((word) => [word, meaning]));
}

export function meaningOf(word: string): string | undefined {
  return Object.hasOwn(habits, word) ? habits[word] : undefined;
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
