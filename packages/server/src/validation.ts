import { BoxRunError } from "@boxrun/contract";
import type { z } from "zod";
import { fieldName } from "./plain-json.ts";

/** As many as help; a body can be wrong in a million places. */
const shownIssues = 5;

/** The parsed value, or VALIDATION_ERROR with one line that names each field and says why. */
export function validate<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value, { error: describe });
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap((issue) => lines(issue, what));
  const more = issues.length > shownIssues ? `; and ${issues.length - shownIssues} more` : "";
  throw new BoxRunError("VALIDATION_ERROR", issues.slice(0, shownIssues).join("; ") + more);
}

function lines(issue: z.core.$ZodIssue, what: string): string[] {
  const field = (path: readonly PropertyKey[]) => fieldName(path) || what;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `${field([...issue.path, key])}: is not a known field`);
  }
  const message = issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return [`${field(issue.path)}: ${message}`];
}

/** Words for what zod finds, where the schema has none of its own. */
function describe(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "is required" : `must be ${nouns[issue.expected] ?? issue.expected}`;
    case "too_small":
      return `must be ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}${units(issue.origin)}`;
    case "too_big":
      return `must be ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}${units(issue.origin)}`;
    case "invalid_value":
      return `must be ${issue.values.length > 1 ? "one of " : ""}${issue.values.map(String).join(", ")}`;
    default:
      return undefined;
  }
}

const nouns: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
  stringbool: "true or false",
};

function units(origin: string): string {
  if (origin === "string") return " characters long";
  return origin === "array" ? " items long" : "";
}
