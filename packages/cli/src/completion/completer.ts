import type { BoxAction } from "@boxrun/contract/plain";

/** What Tab offers in a place. */
export type Completer =
  /** One of these. */
  readonly string[] | LookUp;

/** What is looked up, or left to the shell. */
export type LookUp =
  | "box"
  /** Boxes whose state allows it. */
  | `box:${BoxAction}`
  | "image"
  /** What can be pulled: short names, too. */
  | "image-source"
  /** Execs of the box that was named before. */
  | "exec"
  | "running-exec"
  /** Sessions of the box that was named before. */
  | "session"
  | "orphan"
  | "context"
  /** `NAME=VALUE` as boxes have it. */
  | "label"
  /** `KEY=VALUE` of a listing of boxes. */
  | "filter"
  | "signal"
  | "shell"
  /** A path in the box that was named before. */
  | "box-path"
  /** One end of a `cp`: a file of this host, or BOX:PATH. */
  | "location"
  /** `HOST:GUEST`. */
  | "volume"
  | "variable"
  | "file"
  | "directory"
  /** Values that commander knows. */
  | "choices"
  /** A number, a new name, free text: nothing that could be offered. */
  | "nothing";

/** By the option that takes the value. */
const byOption: Readonly<Record<string, Completer>> = {
  "--workdir": "box-path",
  "--state-dir": "directory",
  "--signal": "signal",
  "--shell": "shell",
  "--session": "session",
  "--context": "context",
  "--name": "nothing",
  // Names of sessions, of the verb that ends them.
  "--rm": "session",
  "--label": "label",
  "--filter": "filter",
  "--engine": ["auto", "boxlite", "qemu"],
  "--log-level": ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
};

/** By what the argument or the value is called in the help: `<box>`. */
const byName: Readonly<Record<string, Completer>> = {
  box: "box",
  image: "image-source",
  reference: "image",
  exec: "exec",
  session: "session",
  context: "context",
  signal: "signal",
  shell: "shell",
  source: "location",
  destination: "location",
  location: "location",
  path: "file",
  file: "file",
  archive: "file",
  directory: "directory",
  dir: "directory",
  "host:guest[:ro]": "volume",
  "name=value": "variable",
  program: "box-path",
  command: "nothing",
  name: "nothing",
  address: "nothing",
  url: "nothing",
  user: "nothing",
  count: "nothing",
  lines: "nothing",
  number: "nothing",
  n: "nothing",
  size: "nothing",
  time: "nothing",
  port: "nothing",
  "port:box-port": "nothing",
  cols: "nothing",
  rows: "nothing",
  keys: "nothing",
  template: "nothing",
  format: ["json", "yaml", "table"],
  "key=value": "nothing",
  filter: "nothing",
};

export function usualCompleter(option: string | undefined, name: string): Completer | undefined {
  const usual = option !== undefined && Object.hasOwn(byOption, option) ? byOption[option] : undefined;
  return usual ?? (Object.hasOwn(byName, name) ? byName[name] : undefined);
}
