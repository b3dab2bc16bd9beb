import type { Command } from "commander";
import { CliError } from "../failure.ts";
import { print, printJson } from "./streams.ts";
import { type Cell, type Column, fields, table } from "./table.ts";
import { type Fields, parseTemplate } from "./template.ts";
import { escapedJson, oneLine } from "./text.ts";
import { wrap } from "./width.ts";

/** How things of one kind are shown, in every format. */
export interface Listing<Row> {
  readonly columns: readonly Column<Row>[];
  /** What templates may name: the fields that `--json` shows. */
  readonly fields: Fields;
  /** What `--quiet` shows. */
  readonly id: (row: Row) => string;
}

type Printer<Row> = (rows: readonly Row[]) => Promise<void>;

interface FormatOptions {
  readonly json?: boolean;
  readonly format?: string;
  readonly quiet?: boolean;
}

export function addListOptions(command: Command): Command {
  return command
    .option("--format <format>", "json, yaml, table, or a template like '{{.id}}'")
    .option("-q, --quiet", "ids only");
}

/** Prints rows as the options say. USAGE for a format that there is not: make it before a server is asked for anything. */
export function listPrinter<Row>(command: Command, listing: Listing<Row>): Printer<Row> {
  const { format, quiet } = formatOptions(command);
  if (quiet) {
    if (format !== undefined)
      throw new CliError("USAGE", "--quiet is a format of its own: leave out --format or --json");
    return (rows) => print(rows.map((row) => `${oneLine(listing.id(row))}\n`).join(""));
  }
  if (format === undefined || format === "table") return (rows) => print(listTable(listing, rows));
  return formatPrinter(format, listing.fields);
}

/** Prints values in a format for programs; `undefined` where none was asked for. */
export function valuePrinter<Value>(command: Command, fields: Fields): Printer<Value> | undefined {
  const { format } = formatOptions(command);
  return format === undefined ? undefined : formatPrinter(format, fields);
}

/** As wide as the terminal at most. */
export function listTable<Row>({ columns }: Pick<Listing<Row>, "columns">, rows: readonly Row[]): string {
  return table(columns, rows, outputColumns());
}

/** `name   value` lines, as wide as the terminal at most. */
export function fieldList(entries: readonly (readonly [string, Cell])[]): string {
  return fields(entries, outputColumns());
}

/** Text that goes on below itself, so many columns in, where the terminal is too narrow for it. */
export function hanging(text: string, indent: number): string {
  const columns = outputColumns();
  return columns === undefined ? text : wrap(text, columns - indent).join(`\n${" ".repeat(indent)}`);
}

function outputColumns(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

function formatOptions(command: Command): FormatOptions {
  const { json, format, quiet = false } = command.optsWithGlobals<FormatOptions>();
  if (json && format !== undefined && format !== "json") {
    throw new CliError("USAGE", `--json is --format json: it can't be --format ${JSON.stringify(format)} too`);
  }
  return { quiet, ...(json ? { format: "json" } : format === undefined ? {} : { format }) };
}

function formatPrinter<Row>(format: string, fields: Fields): Printer<Row> {
  if (format === "json") return printJson;
  if (format === "yaml") return printYaml;
  if (format.startsWith("table ")) {
    const cells = format.slice("table ".length).replaceAll("\\t", "\t").split("\t");
    const columns = cells.map((cell) => {
      const { heads, render } = parseTemplate<Row>(cell, fields);
      return { head: heads.join(" "), cell: render };
    });
    return (rows) => print(listTable({ columns }, rows));
  }
  if (!format.includes("{{")) {
    throw new CliError(
      "USAGE",
      `--format ${JSON.stringify(format)}: there is no such format`,
      "It is json, yaml, table, or a template like '{{.id}}'.",
    );
  }
  const { render } = parseTemplate<Row>(format, fields);
  return (rows) => print(rows.map((row) => `${render(row)}\n`).join(""));
}

async function printYaml(value: unknown): Promise<void> {
  const { stringify } = await import("yaml");
  const options = { aliasDuplicateObjects: false, lineWidth: 0 } as const;
  const plain = stringify(value, options);
  if (escapedJson(plain) === plain) return print(plain);
  // Only double quotes can have an escape in them.
  const strings = { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "QUOTE_DOUBLE" } as const;
  await print(escapedJson(stringify(value, { ...options, ...strings })));
}
