import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { absolute, type Program, type Write } from "./program.ts";
import { sh } from "./shell.ts";

const flags = (argv: readonly string[]) => argv.slice(1).filter((word) => !word.startsWith("-"));

/** A few programs, each as much as a test of the core needs. Real ones are in real boxes. */
export const builtinPrograms: Readonly<Record<string, Program>> = {
  sh,
  async true() {
    return 0;
  },
  async false() {
    return 1;
  },
  async echo({ argv, stdout }) {
    const quiet = argv[1] === "-n";
    await stdout(argv.slice(quiet ? 2 : 1).join(" ") + (quiet ? "" : "\n"));
    return 0;
  },
  async printf({ argv, stdout }) {
    const [format = "", ...values] = argv.slice(1);
    // As in a shell: the format is used again until no value is left.
    const takesValues = /%[sd]/.test(format.replaceAll("%%", ""));
    do await stdout(unescaped(format).replace(/%[sd%]/g, (found) => (found === "%%" ? "%" : (values.shift() ?? ""))));
    while (takesValues && values.length > 0);
    return 0;
  },
  async cat(context) {
    const paths = flags(context.argv);
    if (paths.length === 0) for await (const data of context.stdin) await context.stdout(data);
    for (const path of paths) {
      const node = context.files.find(absolute(context, path));
      if (node?.type !== "file") {
        await context.stderr(`cat: can't open '${path}': No such file or directory\n`);
        return 1;
      }
      await context.stdout(node.content);
    }
    return 0;
  },
  async sleep({ argv, killed }) {
    await delay(Number(argv[1] ?? 0) * 1000, undefined, { signal: killed });
    return 0;
  },
  /** `nc -ll -p PORT -e PROGRAM ARGUMENTS…`: each connection has the program to itself. */
  async nc({ argv, listen, killed, run }) {
    const port = Number(argv[argv.indexOf("-p") + 1]);
    const program = argv.slice(argv.indexOf("-e") + 1);
    listen(port, (connection) => {
      connection.on("error", () => undefined);
      const say: Write = async (data) => {
        if (!connection.write(data)) await once(connection, "drain", { signal: killed });
      };
      void run(program, { stdin: connection, stdout: say }).then(
        // What it has not read is nobody's any more.
        () => connection.end().resume(),
        () => connection.destroy(),
      );
    });
    await once(killed, "abort");
    return 0;
  },
  async pwd({ cwd, stdout }) {
    await stdout(`${cwd}\n`);
    return 0;
  },
  async env({ env, stdout }) {
    for (const [name, value] of Object.entries(env)) await stdout(`${name}=${value}\n`);
    return 0;
  },
  async hostname({ hostname, stdout }) {
    await stdout(`${hostname}\n`);
    return 0;
  },
  async id({ argv, uid, gid, stdout }) {
    await stdout(argv[1] === "-u" ? `${uid}\n` : argv[1] === "-g" ? `${gid}\n` : `uid=${uid} gid=${gid}\n`);
    return 0;
  },
  /** `-e`, `-x`: whether a file is there. */
  async test(context) {
    const path = context.argv[2];
    return path !== undefined && context.files.find(absolute(context, path)) !== undefined ? 0 : 1;
  },
  /** `stty size` */
  async stty({ terminal, stdout }) {
    const size = terminal();
    if (size === null) return 1;
    await stdout(`${size.rows} ${size.cols}\n`);
    return 0;
  },
  async seq({ argv, stdout }) {
    const [first, last] = argv.length > 2 ? [Number(argv[1]), Number(argv[2])] : [1, Number(argv[1])];
    for (let number = first; number <= last; number += 1) await stdout(`${number}\n`);
    return 0;
  },
};

function unescaped(format: string): string {
  const escapes: Record<string, string> = { n: "\n", t: "\t", r: "\r", "\\": "\\" };
  return format.replace(/\\(?:([ntr\\])|([0-7]{1,3}))/g, (_, letter: string | undefined, octal: string | undefined) =>
    letter === undefined ? String.fromCharCode(Number.parseInt(octal ?? "0", 8)) : (escapes[letter] ?? ""),
  );
}
