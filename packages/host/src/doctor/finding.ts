import type { Finding } from "@boxrun/contract";

export function ok(name: string, message: string): Finding {
  return { name, status: "ok", message };
}

export function warn(name: string, message: string, advice: string): Finding {
  return { name, status: "warn", message, advice };
}

export function fail(name: string, message: string, advice: string): Finding {
  return { name, status: "fail", message, advice };
}

export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Boxes that an engine has and the database does not; nothing to say where there are none. */
export function checkOrphans(orphans: readonly { readonly id: string }[]): Finding[] {
  if (orphans.length === 0) return [];
  const ids = orphans.map(({ id }) => id);
  const listed = ids.length > 5 ? `${ids.slice(0, 5).join(", ")}, …` : ids.join(", ");
  const boxes = ids.length === 1 ? "1 box is" : `${ids.length} boxes are`;
  return [
    warn(
      "boxes",
      `${boxes} here that the database does not know: ${listed}`,
      "`boxrun recover` takes them in or removes them.",
    ),
  ];
}
