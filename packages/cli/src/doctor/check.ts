/** One finding of `boxrun doctor`. */
export interface Check {
  readonly name: string;
  /** `warn`: boxes run, but something is slower or missing. `fail`: they don't. */
  readonly status: "ok" | "warn" | "fail";
  readonly message: string;
  /** What to do about it, where there is something to do. */
  readonly advice?: string;
}

export function ok(name: string, message: string): Check {
  return { name, status: "ok", message };
}

export function warn(name: string, message: string, advice: string): Check {
  return { name, status: "warn", message, advice };
}

export function fail(name: string, message: string, advice: string): Check {
  return { name, status: "fail", message, advice };
}

export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
