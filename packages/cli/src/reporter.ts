import { failureJson, failureText } from "./failure.ts";
import { note, print, printJson } from "./output/streams.ts";
import { indented, jsonText } from "./output/text.ts";

/** How a command talks: text for people, or JSON for programs (`--json`). Results go to stdout, all else to stderr. */
export class Reporter {
  readonly json: boolean;

  constructor(json: boolean) {
    this.json = json;
  }

  /** The command's result: `value` as it is with `--json`, else as `text` puts it. */
  result<Value>(value: Value, text: (value: Value) => string): Promise<void> {
    return this.json ? printJson(value) : print(text(value));
  }

  /** A remark beside the result. */
  note(message: string, details: object): void {
    note(this.json ? `${jsonText({ note: message, ...details })}\n` : `${indented(message)}\n`);
  }

  failure(error: unknown): void {
    note(this.json ? failureJson(error) : failureText(error));
  }
}
