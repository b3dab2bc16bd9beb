import { z } from "zod";
import { oneLine, printable, type Style, styled } from "../output/text.ts";

const recordSchema = z.looseObject({ level: z.string(), time: z.string(), msg: z.string().optional() });

const levelStyles: Readonly<Record<string, Style>> = {
  trace: "dim",
  debug: "dim",
  info: "green",
  warn: "yellow",
  error: "red",
  fatal: "red",
};

/** A line of JSON as people read it: `2026-03-01 12:00:00.123 INFO  serving  version=0.4.0`. What is no such line stays as it is. */
export function logLineText(line: string): string {
  const record = parseRecord(line);
  if (record === undefined) return printable(line);
  const { level, time, msg = "", pid: _, err, ...others } = record;
  const style = levelStyles[level];
  const fieldTexts = Object.entries(others).map(
    ([name, value]) => `${styled("dim", `${oneLine(name)}=`)}${valueText(value)}`,
  );
  const head = [styled("dim", timeText(time)), styled(style, oneLine(level).toUpperCase().padEnd(5)), oneLine(msg)];
  return [[...head, ...fieldTexts].join(" "), ...errorLines(err)].join("\n");
}

function parseRecord(line: string): z.output<typeof recordSchema> | undefined {
  try {
    return recordSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** In this host's time. */
function timeText(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return oneLine(time);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, -1).replace("T", " ");
}

function valueText(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return printable(/^[^\s"=]+$/.test(text) || typeof value !== "string" ? text : JSON.stringify(text));
}

const errorSchema = z.looseObject({ message: z.string().optional(), stack: z.string().optional() });

/** A stack trace on lines of its own. */
function errorLines(error: unknown): string[] {
  if (error === undefined) return [];
  const { data } = errorSchema.safeParse(error);
  const text = data?.stack ?? data?.message ?? JSON.stringify(error);
  return text.split("\n").map((line) => `    ${printable(line)}`);
}
