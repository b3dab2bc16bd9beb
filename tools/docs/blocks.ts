/**
 * The examples of the documentation. Every fenced block says in its first line what becomes of it (CONTRIBUTING.md has the table):
 *
 * | block                        | what the tests do with it                                                     |
 * |------------------------------|-------------------------------------------------------------------------------|
 * | `sh run`, `ts run`, `python run` | run it, in the order of the page, against one server with real boxes       |
 * | `sh run fails`               | the same, and it has to end with another code than 0                          |
 * | `text output`                | what the block before it has printed, with `…` for whatever differs           |
 * | `sh parse`, `json parse`, …  | read it, for what can't be run here                                           |
 * | `json schema=NAME`           | hold it against a schema of the API                                           |
 * | `text`                       | nothing: a drawing, a log                                                     |
 *
 * An HTML comment `<!-- run … -->` is a shell script that runs and is not shown.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

type Runnable = "sh" | "ts" | "python";

export type Block = { readonly page: string; readonly line: number; readonly text: string } & (
  | { readonly kind: "run"; readonly language: Runnable; readonly fails: boolean }
  | { readonly kind: "output" }
  | { readonly kind: "parse"; readonly language: string }
  | { readonly kind: "schema"; readonly schema: string }
  | { readonly kind: "text" }
  /** Nobody has said what becomes of it, or nobody can do it. */
  | { readonly kind: "wrong"; readonly why: string }
);

/** What people read: paths from the checkout's root on. */
export const pages: readonly string[] = [
  ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "python/README.md"],
  ...globSync(["docs/**/*.md", "packages/*/README.md", "examples/**/*.md"], {
    cwd: root,
    exclude: (path) => /node_modules|\.vitepress/.test(path),
  }).sort(),
];

export function blocksOf(page: string): Block[] {
  return blocksIn(page, readFileSync(join(root, page), "utf8"));
}

const runnable: readonly string[] = ["sh", "ts", "python"] satisfies Runnable[];
const readable = ["sh", "ts", "python", "json", "toml"];

export function blocksIn(page: string, markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const opening = lines[at] ?? "";
    const [, indent = "", fence, info = ""] = /^( *)(`{3,}|~{3,})(.*)$/.exec(opening) ?? [];
    const isHidden = opening === "<!-- run";
    if (fence === undefined && !isHidden) continue;
    const end = isHidden ? "-->" : fence;
    const from = at + 1;
    for (at = from; at < lines.length && lines[at]?.trim() !== end; at += 1);
    const text = lines
      .slice(from, at)
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
      .join("\n");
    const place = { page, line: from, text: `${text}\n` };
    blocks.push({ ...place, ...kindOf(isHidden ? "sh run" : info.trim()) });
  }
  return blocks;
}

type Kind = Block extends infer B ? (B extends Block ? Omit<B, "page" | "line" | "text"> : never) : never;

function kindOf(info: string): Kind {
  const [language = "", ...marks] = info.split(/\s+/);
  const mark = marks.join(" ");
  if (language === "text" && mark === "") return { kind: "text" };
  if (language === "text" && mark === "output") return { kind: "output" };
  if (isRunnable(language) && (mark === "run" || mark === "run fails"))
    return { kind: "run", language, fails: mark === "run fails" };
  if (readable.includes(language) && mark === "parse") return { kind: "parse", language };
  const schema = /^schema=(\w+)$/.exec(mark)?.[1];
  if (language === "json" && schema !== undefined) return { kind: "schema", schema };
  return {
    kind: "wrong",
    why: `\`${info}\` does not say what becomes of this block: CONTRIBUTING.md has what there is`,
  };
}

function isRunnable(language: string): language is Runnable {
  return runnable.includes(language);
}

/** `undefined` if `printed` is what the page says; else what is wrong. `…` in it stands for anything. */
export function outputFault(expected: string, printed: string): string | undefined {
  const pattern = expected
    .trim()
    .split("…")
    .map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("[^]*?");
  if (new RegExp(`^${pattern}$`).test(printed.trim())) return undefined;
  return `the page says that this is printed:\n${expected}\nbut this is:\n${printed}`;
}
