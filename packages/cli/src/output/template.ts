import { CliError } from "../failure.ts";
import { age, jsonText, oneLine } from "./text.ts";

/** The fields that a template may name; below `null` there may be anything. */
export interface Fields {
  readonly [name: string]: Fields | null;
}

/** `{{.id}} {{.created_at | age}}`, for values that have these fields. */
export interface Template<Value> {
  render(value: Value): string;
  /** What the expressions are called above a table of them. */
  readonly heads: readonly string[];
}

const functions: Readonly<Record<string, (value: unknown) => string>> = {
  json: (value) => jsonText(value ?? null),
  upper: (value) => text(value).toUpperCase(),
  lower: (value) => text(value).toLowerCase(),
  age: (value) => (typeof value === "string" && !Number.isNaN(Date.parse(value)) ? age(value) : text(value)),
};

/** USAGE for what is no template, or names a field or function that there is not. */
export function parseTemplate<Value>(source: string, known: Fields): Template<Value> {
  const parts: ((value: unknown) => string)[] = [];
  const heads: string[] = [];
  let rest = source.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
  while (rest !== "") {
    const begin = rest.indexOf("{{");
    const literal = begin === -1 ? rest : rest.slice(0, begin);
    if (literal.includes("}}")) throw badTemplate(source, "`}}` without `{{`");
    if (literal !== "") parts.push(() => literal);
    if (begin === -1) break;
    const end = rest.indexOf("}}", begin);
    if (end === -1) throw badTemplate(source, "`{{` without `}}`");
    const { head, evaluate } = parseExpression(source, rest.slice(begin + 2, end), known);
    heads.push(head);
    parts.push((value) => oneLine(evaluate(value)));
    rest = rest.slice(end + 2);
  }
  return { heads, render: (value) => parts.map((part) => part(value)).join("") };
}

/** `.path`, `.path | f | g`, or `f .path` as docker writes it. */
function parseExpression(source: string, expression: string, known: Fields) {
  const [first = "", ...pipes] = expression.split("|").map((word) => word.trim());
  const called = /^(?<name>\w+)\s+(?<path>\..*)$/.exec(first)?.groups;
  const path = parsePath(source, called?.path ?? first, known);
  const steps = [...(called?.name === undefined ? [] : [called.name]), ...pipes].map((name) => {
    const step = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (step !== undefined) return step;
    throw badTemplate(
      source,
      `there is no function ${JSON.stringify(name)}; there are ${Object.keys(functions).join(", ")}`,
    );
  });
  return {
    head: (path.at(-1) ?? "value").toUpperCase(),
    evaluate: (value: unknown) => text(steps.reduce<unknown>((input, step) => step(input), follow(value, path))),
  };
}

function parsePath(source: string, path: string, known: Fields): string[] {
  if (path === ".") return [];
  if (!/^(\.[\w-]+)+$/.test(path)) throw badTemplate(source, `${JSON.stringify(path)} is no field; write {{.name}}`);
  const names = path.slice(1).split(".");
  let level: Fields | null = known;
  for (const [index, name] of names.entries()) {
    if (level === null) break;
    const below: Fields | null | undefined = Object.hasOwn(level, name) ? level[name] : undefined;
    if (below === undefined) {
      const before = names.slice(0, index).map((one) => `.${one}`);
      const all = Object.keys(level).map((one) => [...before, `.${one}`].join(""));
      throw badTemplate(source, `there is no field ${path}; there are ${all.join(", ")}`);
    }
    level = below;
  }
  return names;
}

function follow(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = new Map<string, unknown>(Object.entries(found)).get(name);
  }
  return found;
}

/** Nothing for null, JSON for what is more than a value. */
function text(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function badTemplate(source: string, why: string): CliError {
  return new CliError("USAGE", `--format ${JSON.stringify(source)}: ${why}`);
}
